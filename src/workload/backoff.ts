/** The first and the longest pause between two attempts. */
const STEP_MS = 1_000
const LONGEST_MS = 30_000
/** Pauses vary by this part, so that the workloads of a node do not all come back at once. */
const JITTER = 0.1

/** The pauses between attempts: 1, 2, 3 … 30 s, from the start again after a success. */
export class Backoff {
  #failures = 0
  readonly #random: () => number

  /** @param random from 0 to 1 */
  constructor(random: () => number) {
    this.#random = random
  }

  succeeded(): void {
    this.#failures = 0
  }

  /** How long to wait after one more failure. */
  nextPauseMs(): number {
    this.#failures++
    return Math.round(Math.min(this.#failures * STEP_MS, LONGEST_MS) * (1 + JITTER * (2 * this.#random() - 1)))
  }
}
