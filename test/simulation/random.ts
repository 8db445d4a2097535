/** Numbers that one seed decides: the same seed gives the same run. Not for anything that must be secret. */
export class Random {
  #a: number
  #b: number
  #c: number
  #count = 1

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = Math.floor(seed / 2 ** 32) | 0
    this.#c = 0x9e3779b9 | 0
    for (let round = 0; round < 15; round++) this.uint32()
  }

  /** The next 32 bits (sfc32). */
  uint32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#count) | 0
    this.#count = (this.#count + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    this.#c |= 0
    return sum >>> 0
  }

  /** In [0, 1). */
  fraction(): number {
    return this.uint32() / 2 ** 32
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.fraction() * below)
  }

  between(from: number, to: number): number {
    return from + (to - from) * this.fraction()
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)]
    if (found === undefined) throw new TypeError('nothing to pick from')
    return found
  }

  /** As product code takes its randomness. */
  readonly bytes = (count: number): Buffer => {
    const bytes = Buffer.alloc(count)
    for (let at = 0; at < count; at += 4) {
      const word = this.uint32()
      for (let byte = 0; byte < 4 && at + byte < count; byte++) bytes[at + byte] = (word >>> (8 * byte)) & 0xff
    }
    return bytes
  }

  /** A stream of its own, so that what one part draws does not move what another draws. */
  fork(): Random {
    return new Random(this.uint32() + this.below(2 ** 20) * 2 ** 32)
  }
}
