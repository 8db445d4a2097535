import { createHash } from 'node:crypto'

/** The digest takes in so many lines at a time: one by one would cost more than many an event. */
const LINES_AT_ONCE = 256

/** What happened, in order. Two runs are the same when their digests are. */
export class Trace {
  readonly #now: () => number
  readonly #keep: number
  readonly #digest = createHash('sha256')
  #lines: string[] = []
  #pending = ''
  #count = 0

  /** @param keep how many of the last lines are remembered for people */
  constructor(now: () => number, keep: number) {
    this.#now = now
    this.#keep = keep
  }

  add(line: string): void {
    const text = `${this.#now().toFixed(3)} ${line}`
    this.#pending += `${text}\n`
    if (++this.#count % LINES_AT_ONCE === 0) this.#digestPending()
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
    this.#digestPending()
    return this.#digest.copy().digest('hex')
  }

  #digestPending(): void {
    this.#digest.update(this.#pending)
    this.#pending = ''
  }
}
