import type { Clock } from '../clock.ts'
import type { JwtSvid } from '../svid/jwt-svid.ts'
import { Backoff } from './backoff.ts'
import { statusOf } from './watch.ts'

/** The most different requests, and characters of tokens, that are kept; beyond, what was asked for longest ago is forgotten. */
export const CACHED_REQUESTS_MAX = 1_000
export const CACHED_CHARACTERS_MAX = 16 * 1024 * 1024
/** A token is not handed out when so little of its life is left that it could end on its way, or a tenth of it if that is less. */
const LEAST_LEFT_MS = 10_000

export interface JwtSvidCacheOptions {
  readonly clock: Clock
  /** From 0 to 1; spreads retries. */
  readonly random: () => number
  /** Changes with the keys that verify tokens. */
  readonly keysRevision: () => number
  /** Whether the key of a token is one of its trust domain, as far as that is known. */
  readonly isSignedByKnownKey: (svid: JwtSvid) => boolean
  /** Told when a token could not be renewed, while the old one is still good. */
  readonly onError: (error: Error) => void
}

interface Held {
  readonly svids: readonly JwtSvid[]
  readonly characters: number
  readonly renewAtMs: number
  readonly endsAtMs: number
  readonly backoff: Backoff
  /** Not before this: an attempt has failed. */
  pausedUntilMs: number
  /** Of the keys that its tokens were last compared with. */
  keysRevision: number
}

/** Tokens by request: handed out until shortly before their end, renewed from half of their life on, one fetch at a time. */
export class JwtSvidCache {
  readonly #options: JwtSvidCacheOptions
  readonly #held = new Map<string, Held>()
  #characters = 0
  readonly #fetching = new Map<string, Promise<readonly JwtSvid[]>>()
  /** How often it was cleared: an answer that was asked for before is not kept. */
  #clearings = 0

  constructor(options: JwtSvidCacheOptions) {
    this.#options = options
  }

  /** Tokens of a request, from memory where they are good, else from `fetch`. */
  get(key: string, fetch: () => Promise<readonly JwtSvid[]>): Promise<readonly JwtSvid[]> {
    const nowMs = this.#options.clock.now().getTime()
    const held = this.#held.get(key)
    if (held === undefined || nowMs >= held.endsAtMs || this.#isOutdated(held)) return this.#fetch(key, fetch)
    // What was used last goes to the end of the map.
    this.#held.delete(key)
    this.#held.set(key, held)
    if (nowMs >= held.renewAtMs && nowMs >= held.pausedUntilMs) void this.#renew(key, held, fetch)
    return Promise.resolve(held.svids)
  }

  clear(): void {
    this.#clearings++
    this.#fetching.clear()
    this.#held.clear()
    this.#characters = 0
  }

  /** A key that has left the bundle signs nothing that others would take; its tokens are of no use then, however young. */
  #isOutdated(held: Held): boolean {
    const revision = this.#options.keysRevision()
    if (held.keysRevision === revision) return false
    if (!held.svids.every(this.#options.isSignedByKnownKey)) return true
    held.keysRevision = revision
    return false
  }

  async #renew(key: string, held: Held, fetch: () => Promise<readonly JwtSvid[]>): Promise<void> {
    held.pausedUntilMs = Infinity
    try {
      await this.#fetch(key, fetch)
    } catch (error) {
      held.pausedUntilMs = this.#options.clock.now().getTime() + held.backoff.nextPauseMs()
      this.#options.onError(error as Error)
    }
  }

  /** Callers at the same time share one call. */
  #fetch(key: string, fetch: () => Promise<readonly JwtSvid[]>): Promise<readonly JwtSvid[]> {
    const underWay = this.#fetching.get(key)
    if (underWay !== undefined) return underWay
    const keysRevision = this.#options.keysRevision()
    const clearings = this.#clearings
    const fetching = (async () => {
      try {
        const svids = await fetch()
        if (clearings === this.#clearings) this.#keep(key, svids, keysRevision)
        return svids
      } catch (error) {
        // No longer entitled, or gone: what is held from before is not used either.
        const status = statusOf(error)
        if (status === 'PERMISSION_DENIED' || status === 'NOT_FOUND') this.#forget(key)
        throw error
      } finally {
        if (clearings === this.#clearings) this.#fetching.delete(key)
      }
    })()
    this.#fetching.set(key, fetching)
    return fetching
  }

  #keep(key: string, svids: readonly JwtSvid[], keysRevision: number): void {
    const nowMs = this.#options.clock.now().getTime()
    const lives = svids.map(({ issuedAt, expiresAt }) => {
      const [startMs, endMs] = [issuedAt?.getTime() ?? nowMs, expiresAt.getTime()]
      const lifeMs = Math.max(endMs - startMs, 0)
      return { renewAtMs: startMs + lifeMs / 2, endsAtMs: endMs - Math.min(LEAST_LEFT_MS, lifeMs / 10) }
    })
    const characters = key.length + svids.reduce((sum, { token }) => sum + token.length, 0)
    this.#forget(key)
    this.#characters += characters
    this.#held.set(key, {
      svids,
      characters,
      renewAtMs: Math.min(...lives.map(({ renewAtMs }) => renewAtMs)),
      endsAtMs: Math.min(...lives.map(({ endsAtMs }) => endsAtMs)),
      backoff: new Backoff(this.#options.random),
      pausedUntilMs: -Infinity,
      keysRevision,
    })
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= CACHED_REQUESTS_MAX && this.#characters <= CACHED_CHARACTERS_MAX) return
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    this.#characters -= this.#held.get(key)?.characters ?? 0
    this.#held.delete(key)
  }
}
