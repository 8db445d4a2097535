const TWO_TO_32 = 2 ** 32
const FIRST_BYTES = 16 * 1024
/** What is kept from one message to the next. */
const KEPT_BYTES = 256 * 1024
/** What a length takes at most. */
const LENGTH_MAX_BYTES = 5

/** Writes the parts of Protocol Buffers one after the other into memory that is used again for the next message. */
export class ByteWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  #at = 0

  /** A copy of what was written; the writer is empty again. */
  finish(): Buffer {
    const message = Buffer.from(this.#bytes.subarray(0, this.#at))
    this.clear()
    return message
  }

  clear(): void {
    this.#at = 0
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafeSlow(FIRST_BYTES)
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType)
  }

  /** Of 64 bits in two's complement, as Protocol Buffers write negative numbers. */
  varint(value: number): void {
    this.#reserve(10)
    if (value >= 0 && value < 0x80) {
      this.#bytes[this.#at++] = value
      return
    }
    let high = Math.floor(value / TWO_TO_32) >>> 0
    let low = value >>> 0
    while (high !== 0 || low > 0x7f) {
      this.#bytes[this.#at++] = (low & 0x7f) | 0x80
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    this.#bytes[this.#at++] = low
  }

  double(value: number): void {
    this.#reserve(8)
    this.#at = this.#bytes.writeDoubleLE(value, this.#at)
  }

  float(value: number): void {
    this.#reserve(4)
    this.#at = this.#bytes.writeFloatLE(value, this.#at)
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length + LENGTH_MAX_BYTES)
    this.varint(value.length)
    this.#bytes.set(value, this.#at)
    this.#at += value.length
  }

  string(value: string): void {
    const length = Buffer.byteLength(value)
    this.#reserve(length + LENGTH_MAX_BYTES)
    this.varint(length)
    this.#bytes.write(value, this.#at)
    this.#at += length
  }

  /** Writes a part with its length in front. One byte is left for the length, which mostly is enough. */
  delimited(write: () => void): void {
    this.#reserve(LENGTH_MAX_BYTES)
    const start = this.#at
    this.#at += 1
    write()
    const length = this.#at - start - 1
    if (length >= 0x80) {
      const lengthBytes = Math.ceil((32 - Math.clz32(length)) / 7)
      this.#reserve(LENGTH_MAX_BYTES)
      this.#bytes.copyWithin(start + lengthBytes, start + 1, this.#at)
      this.#at += lengthBytes - 1
    }
    const end = this.#at
    this.#at = start
    this.varint(length)
    this.#at = end
  }

  #reserve(count: number): void {
    const needed = this.#at + count
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length))
    // All of it: a length may be put in front of what is written already.
    this.#bytes.copy(larger)
    this.#bytes = larger
  }
}
