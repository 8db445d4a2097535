import type { Clock } from '../../src/clock.ts'

/** A wall clock that moves this much against the steady one has jumped. */
const JUMP_MS = 10_000

/**
 * Tells whether the wall clock can be believed when something is to be destroyed for good.
 *
 * After a jump, and after a start (nobody saw what the clock did before), it must run evenly for a while first.
 */
export class ClockSteadiness {
  readonly #clock: Clock
  readonly #settleMs: number
  #offsetMs: number
  #steadySinceMs: number

  constructor(clock: Clock, settleMs: number) {
    this.#clock = clock
    this.#settleMs = settleMs
    this.#offsetMs = clock.now().getTime() - clock.monotonicMs()
    this.#steadySinceMs = clock.monotonicMs()
  }

  /** Looks at both clocks; call it at least as often as jumps should be noticed. Returns by how much the wall clock jumped, or 0. */
  observe(): number {
    const monotonicMs = this.#clock.monotonicMs()
    const offsetMs = this.#clock.now().getTime() - monotonicMs
    const jumpMs = offsetMs - this.#offsetMs
    // Small differences are the steering of the clock: they are followed, so that they never add up to a jump.
    this.#offsetMs = offsetMs
    if (Math.abs(jumpMs) < JUMP_MS) return 0
    this.#steadySinceMs = monotonicMs
    return jumpMs
  }

  get isSteady(): boolean {
    return this.#clock.monotonicMs() - this.#steadySinceMs >= this.#settleMs
  }
}
