import type { Clock } from '../../src/clock.ts'

/** A heartbeat comes every five seconds: two that are missed make a policy stale (zones.md §3.12). */
const MISSED_HEARTBEATS = 2

/** How long ago the server last proved that what is held is the newest. Without any proof it is infinitely long. */
export class Freshness {
  readonly #clock: Clock
  readonly #staleAfterMs: number
  #at: Date | undefined

  constructor(clock: Clock, heartbeatMs: number) {
    this.#clock = clock
    this.#staleAfterMs = MISSED_HEARTBEATS * heartbeatMs
  }

  get at(): Date | undefined {
    return this.#at
  }

  /** Takes up what was known before a restart, or what was just proved. An earlier proof than is known changes nothing. */
  proved(at: Date): void {
    if (this.#at === undefined || at > this.#at) this.#at = at
  }

  forget(): void {
    this.#at = undefined
  }

  /** Milliseconds; by a clock that is never set back below what the server last said. */
  get ageMs(): number {
    return this.#at === undefined ? Infinity : Math.max(0, this.#clock.now().getTime() - this.#at.getTime())
  }

  get isStale(): boolean {
    return this.ageMs > this.#staleAfterMs
  }
}
