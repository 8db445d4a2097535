/** How pauses grow: by a step after each failure, up to the longest. */
export interface Pace {
  readonly stepMs: number
  readonly longestMs: number
}

/** 1, 2, 3 … 30 s. */
export const USUAL_PACE: Pace = { stepMs: 1_000, longestMs: 30_000 }
/** 30, 60, 90 … 300 s: for what somebody has to change first. */
export const SLOW_PACE: Pace = { stepMs: 30_000, longestMs: 300_000 }
/** Pauses vary by this part, so that the workloads of a node do not all come back at once. */
const JITTER = 0.1

/** The pauses between attempts, from the start again after a success. */
export class Backoff {
  #failures = 0
  readonly #random: () => number
  readonly #pace: Pace

  /** @param random from 0 to 1 */
  constructor(random: () => number, pace = USUAL_PACE) {
    this.#random = random
    this.#pace = pace
  }

  succeeded(): void {
    this.#failures = 0
  }

  /** How long to wait after one more failure. */
  nextPauseMs(): number {
    this.#failures++
    const { stepMs, longestMs } = this.#pace
    return Math.round(Math.min(this.#failures * stepMs, longestMs) * (1 + JITTER * (2 * this.#random() - 1)))
  }
}
