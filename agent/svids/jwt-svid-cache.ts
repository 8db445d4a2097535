import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import { parseJws } from '../../src/jws/parse-jws.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { verifyJwtSvid } from '../../src/svid/verify-jwt-svid.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import { Wake } from '../entries/wake.ts'
import type { Upstream } from '../upstream/upstream.ts'

export interface JwtSvidCacheDeps {
  readonly entitlements: Entitlements
  readonly upstream: Pick<Upstream, 'signJwtSvid'>
  readonly clock: Clock
  readonly cryptography: Cryptography
  /** The most tokens that are kept. */
  readonly size: number
  /** The most tokens that are kept for one user: the audiences of one cannot drive out those of another. */
  readonly sizePerUid: number
}

interface CachedToken {
  readonly key: string
  readonly uid: number
  readonly token: string
  readonly keyId: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly entry: RegistrationEntry
}

/** A token that is being signed, for the entry as it was: another state of it may be somebody else's. */
interface Underway {
  readonly entry: RegistrationEntry
  readonly token: Promise<string>
}

/** How long a token waits for the key that signed it to arrive in the bundle. */
const KEY_WAIT_MS = 5_000

/** The JWT-SVIDs that were fetched, by entry and exact list of audiences; used again while more than half of their life is left (WA-47). */
export class JwtSvidCache {
  readonly #deps: JwtSvidCacheDeps
  /** The first is the one used longest ago. */
  readonly #tokens = new Map<string, CachedToken>()
  readonly #perUid = new Map<number, Set<string>>()
  readonly #underway = new Map<string, Underway>()

  constructor(deps: JwtSvidCacheDeps) {
    this.#deps = deps
  }

  get size(): number {
    return this.#tokens.size
  }

  /** A token for this entry and exactly these audiences, for a process of this user. */
  async tokenFor(
    entry: RegistrationEntry,
    audience: readonly string[],
    uid: number,
    signal: AbortSignal,
  ): Promise<string> {
    // A token with an id of its own is for one use: nobody gets another one's.
    if (entry.jwtIncludesJti) return (await this.#sign(entry, audience, signal)).token
    const key = JSON.stringify([entry.id, ...audience])
    const cached = this.#tokens.get(key)
    if (cached !== undefined && this.#isFresh(cached, entry)) {
      this.#tokens.delete(key)
      this.#tokens.set(key, cached)
      return cached.token
    }
    const known = this.#underway.get(key)
    if (known?.entry === entry) return known.token
    const underway = { entry, token: this.#signAndKeep(key, entry, audience, uid) }
    this.#underway.set(key, underway)
    try {
      return await underway.token
    } finally {
      if (this.#underway.get(key) === underway) this.#underway.delete(key)
    }
  }

  /** Without the caller's signal: others may wait for the same token when the first caller leaves. */
  async #signAndKeep(key: string, entry: RegistrationEntry, audience: readonly string[], uid: number): Promise<string> {
    const signed = await this.#sign(entry, audience, new AbortController().signal)
    this.#keep({ key, uid, entry, ...signed })
    return signed.token
  }

  async #sign(
    entry: RegistrationEntry,
    audience: readonly string[],
    signal: AbortSignal,
  ): Promise<Pick<CachedToken, 'token' | 'keyId' | 'issuedAt' | 'expiresAt'>> {
    const { upstream, entitlements, clock, cryptography } = this.#deps
    const { token, issuedAt, expiresAt } = await upstream.signJwtSvid(entry.id, audience, signal)
    const { keyId } = parseJws(token)
    if (keyId === undefined) throw unusable(entry, 'it does not name its key')
    await this.#keyPublished(keyId, signal)
    const verified = await verifyJwtSvid(token, audience, entitlements.bundles, clock.now(), { cryptography })
    if (!verified.spiffeId.equals(entry.spiffeId)) {
      throw unusable(entry, `it is for ${verified.spiffeId.toString()}`)
    }
    if (!isDeepStrictEqual(verified.audience, audience)) throw unusable(entry, 'it is for another audience')
    return { token, keyId, issuedAt, expiresAt }
  }

  /** Nobody gets a token that the bundle served here cannot verify yet (WA-48). */
  async #keyPublished(keyId: string, signal: AbortSignal): Promise<void> {
    const { entitlements, clock } = this.#deps
    const isPublished = (): boolean =>
      entitlements.ownBundle?.jwtAuthorities.some((authority) => authority.keyId === keyId) ?? false
    if (isPublished()) return
    const wake = new Wake()
    const limit = new AbortController()
    using _timer = clock.timer(KEY_WAIT_MS, () => limit.abort(unpublished()))
    using _listening = entitlements.onApplied(() => wake.ring())
    while (!isPublished()) await wake.wait(AbortSignal.any([signal, limit.signal]))
  }

  #isFresh(cached: CachedToken, entry: RegistrationEntry): boolean {
    const now = this.#deps.clock.now().getTime()
    const authority = this.#deps.entitlements.ownBundle?.jwtAuthorities.find(({ keyId }) => keyId === cached.keyId)
    return (
      2 * now < cached.issuedAt.getTime() + cached.expiresAt.getTime() &&
      authority !== undefined &&
      !authority.tainted &&
      cached.entry === entry
    )
  }

  #keep(token: CachedToken): void {
    const { size, sizePerUid } = this.#deps
    const own = this.#perUid.get(token.uid) ?? new Set<string>()
    this.#perUid.set(token.uid, own)
    this.#forget(token.key)
    if (own.size >= sizePerUid) this.#forget(own.values().next().value)
    if (this.#tokens.size >= size) this.#forget(this.#tokens.keys().next().value)
    this.#tokens.set(token.key, token)
    this.#perUid.set(token.uid, own.add(token.key))
  }

  #forget(key: string | undefined): void {
    const token = key === undefined ? undefined : this.#tokens.get(key)
    if (token === undefined) return
    this.#tokens.delete(token.key)
    const own = this.#perUid.get(token.uid)
    own?.delete(token.key)
    if (own?.size === 0) this.#perUid.delete(token.uid)
  }
}

const unusable = (entry: RegistrationEntry, why: string): SallyportError =>
  new SallyportError('SERVER_ANSWER_INVALID', `Cannot use the JWT-SVID for entry ${entry.id}: ${why}`)

const unpublished = (): SallyportError =>
  new SallyportError('IDENTITY_PENDING', 'Cannot hand out a JWT-SVID: its key is not in the bundle of this agent yet')
