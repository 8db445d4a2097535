import type { Clock } from '../../src/clock.ts'

/** How far the wall clock may be from the server's before somebody should look. */
export const CLOCK_SKEW_WARNING_MS = 60_000

/**
 * A clock that is never earlier than what the server last said plus the time that has passed since (SE-20): whoever sets the wall
 * clock back cannot make an expired SVID valid again.
 */
export class TrustedClock implements Clock {
  readonly #clock: Clock
  #floorMs = -Infinity
  #floorSetAtMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): Date {
    const floor = this.#floorMs + (this.#clock.monotonicMs() - this.#floorSetAtMs)
    const now = this.#clock.now()
    return floor > now.getTime() ? new Date(floor) : now
  }

  /** Takes in what a signed heartbeat said; an earlier time than is known already changes nothing. */
  observe(serverTime: Date): void {
    const floor = this.#floorMs + (this.#clock.monotonicMs() - this.#floorSetAtMs)
    if (serverTime.getTime() <= floor) return
    this.#floorMs = serverTime.getTime()
    this.#floorSetAtMs = this.#clock.monotonicMs()
  }

  /** The least that the time can be; undefined before any server said one. */
  get floor(): Date | undefined {
    if (this.#floorMs === -Infinity) return undefined
    return new Date(this.#floorMs + (this.#clock.monotonicMs() - this.#floorSetAtMs))
  }

  /** Wall clock minus server time, in milliseconds; 0 before any server said one. */
  get skewMs(): number {
    return this.floor === undefined ? 0 : this.#clock.now().getTime() - this.floor.getTime()
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal)
  }

  timer(ms: number, action: () => void): Disposable {
    return this.#clock.timer(ms, action)
  }
}
