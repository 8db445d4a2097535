import type { Clock } from '../clock.ts'

/** Lets somebody do something so often: `perSecond` for long, `burst` at once. Keeps only those that used it lately. */
export class TokenBuckets {
  readonly #perSecond: number
  readonly #burst: number
  readonly #clock: Clock
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>()
  #sweptMs = 0

  constructor(options: { readonly perSecond: number; readonly burst: number; readonly clock: Clock }) {
    this.#perSecond = options.perSecond
    this.#burst = options.burst
    this.#clock = options.clock
  }

  take(key: string, amount = 1): boolean {
    const nowMs = this.#clock.monotonicMs()
    this.#sweep(nowMs)
    const bucket = this.#buckets.get(key) ?? { tokens: this.#burst, atMs: nowMs }
    bucket.tokens = this.#refilled(bucket, nowMs)
    bucket.atMs = nowMs
    this.#buckets.set(key, bucket)
    if (bucket.tokens < amount) return false
    bucket.tokens -= amount
    return true
  }

  #refilled(bucket: { readonly tokens: number; readonly atMs: number }, nowMs: number): number {
    return Math.min(this.#burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * this.#perSecond)
  }

  /** A full bucket says the same as none. */
  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < 10_000) return
    this.#sweptMs = nowMs
    for (const [key, bucket] of this.#buckets) {
      if (this.#refilled(bucket, nowMs) >= this.#burst) this.#buckets.delete(key)
    }
  }
}
