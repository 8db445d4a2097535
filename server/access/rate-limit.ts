import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'

export interface RateLimitSettings {
  /** For the message of a refusal: the key of the configuration. */
  readonly name: string
  readonly perSecond: number
  /** How much may come at once; a request for more is refused. */
  readonly burst: number
  /** How long a caller waits for its turn; 0: it is refused at once. */
  readonly maxWaitMs: number
}

/** The most callers that are told apart; more share one allowance, so that nobody grows memory by changing addresses. */
export const LIMITED_KEYS_MAX = 20_000
const SHARED_KEY = ''

/**
 * A token bucket for each key, kept as the instant at which it will be full again: one number a key, and none for the idle.
 */
export class RateLimit {
  readonly #settings: RateLimitSettings
  readonly #clock: Clock
  readonly #fullAtMs = new Map<string, number>()

  constructor(settings: RateLimitSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  /**
   * Takes `count` from the allowance of a key, waiting for it where that is allowed.
   *
   * @throws {@link SallyportError} `LIMIT_REACHED`
   */
  async take(key: string, count: number, signal: AbortSignal): Promise<void> {
    const waitMs = this.reserve(key, count)
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
  }

  /** The same for callers that wait by themselves: milliseconds until the turn of what was taken. */
  reserve(key: string, count: number): number {
    const { name, perSecond, burst, maxWaitMs } = this.#settings
    if (count > burst) throw reached(name, `${count} at once, ${burst} are allowed`)
    const now = this.#clock.monotonicMs()
    const bucket = this.#bucketOf(key, now)
    const fullAt = Math.max(this.#fullAtMs.get(bucket) ?? now, now) + (count * 1000) / perSecond
    const waitMs = Math.max(0, fullAt - now - (burst * 1000) / perSecond)
    // A whisker of rounding is not a wait.
    if (waitMs > maxWaitMs + 1e-6) throw reached(name, `more than ${perSecond} a second`)
    this.#fullAtMs.set(bucket, fullAt)
    return waitMs < 1e-6 ? 0 : waitMs
  }

  get keyCount(): number {
    return this.#fullAtMs.size
  }

  #bucketOf(key: string, now: number): string {
    if (this.#fullAtMs.has(key) || this.#fullAtMs.size < LIMITED_KEYS_MAX) return key
    for (const [other, fullAt] of this.#fullAtMs) if (fullAt <= now) this.#fullAtMs.delete(other)
    return this.#fullAtMs.size < LIMITED_KEYS_MAX ? key : SHARED_KEY
  }
}

const reached = (name: string, why: string): SallyportError =>
  new SallyportError('LIMIT_REACHED', `Cannot serve the call: ${why} (${name})`)
