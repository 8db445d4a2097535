import { createHash } from 'node:crypto'

/** What happened, in order. Two runs are the same when their digests are. */
export class Trace {
  readonly #now: () => number
  readonly #keep: number
  readonly #digest = createHash('sha256')
  #lines: string[] = []
  #count = 0

  /** @param keep how many of the last lines are remembered for people */
  constructor(now: () => number, keep: number) {
    this.#now = now
    this.#keep = keep
  }

  add(line: string): void {
    const text = `${this.#now().toFixed(3)} ${line}`
    this.#digest.update(text).update('\n')
    this.#count++
    this.#lines.push(text)
    if (this.#lines.length >= 2 * this.#keep) this.#lines = this.#lines.slice(-this.#keep)
  }

  /** For people only: not part of what makes two runs the same. */
  remark(line: string): void {
    this.#lines.push(`${this.#now().toFixed(3)}   ${line}`)
  }

  get count(): number {
    return this.#count
  }

  get lines(): readonly string[] {
    return this.#lines.slice(-this.#keep)
  }

  get digest(): string {
    return this.#digest.copy().digest('hex')
  }
}
