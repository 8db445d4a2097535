import { SallyportError } from '../errors.ts'
import { numericDateOf } from '../svid/token-claims.ts'
import { leewayMsOf } from './verify-wit-svid.ts'
import type { WitSvid } from './wit-svid.ts'

/** How long a proof is good for unless its maker says otherwise: long enough for clocks that differ and a slow network. */
export const PROOF_LIFE_SECONDS = 60
/** The longest that a proof may be good for. */
export const PROOF_LIFE_MAX_SECONDS = 300
/** The longest id of a proof, its `jti` or `nonce`, that is remembered. */
export const PROOF_ID_MAX = 256

export interface ProofTiming {
  readonly now: Date
  /** 1 to 300. Default: 60. */
  readonly lifeSeconds?: number | undefined
}

/** When a proof may be used, as its receiver sees it. */
export interface ProofLimits {
  readonly now: Date
  /** How far clocks may differ: 0 to 120. Default: 30. */
  readonly leewaySeconds?: number | undefined
  /** The longest that a proof may be good for. Default: 300. */
  readonly maxProofLifeSeconds?: number | undefined
}

/** What a proof that holds says about its request. */
export interface ProvenRequest {
  readonly proof: 'token' | 'signature'
  /** The `jti` or `nonce`: used once by its sender. */
  readonly proofId: string
  readonly expiresAt: Date
  /** The headers whose tokens the proof covers, in lower case; others must not be used to authorize anything. */
  readonly coveredTokens: ReadonlySet<string>
  /** What the sender wants of the answer; undefined where the answer cannot be tied to the request. */
  readonly answer: { readonly nonce: string; readonly mustBeSigned: boolean } | undefined
}

/**
 * From when to when a proof is good, in seconds since 1970; never beyond the end of the WIT-SVID.
 *
 * @throws {@link SallyportError} `WIT_SVID_EXPIRED`
 */
export function proofTimes(
  { spiffeId, expiresAt }: WitSvid,
  { now, lifeSeconds = PROOF_LIFE_SECONDS }: ProofTiming,
): { readonly created: number; readonly expires: number } {
  if (!(lifeSeconds >= 1 && lifeSeconds <= PROOF_LIFE_MAX_SECONDS))
    throw new TypeError(`A proof lives for 1 to ${PROOF_LIFE_MAX_SECONDS} seconds, not ${lifeSeconds}`)
  if (expiresAt <= now) {
    throw new SallyportError(
      'WIT_SVID_EXPIRED',
      `Cannot prove anything with the WIT-SVID of ${spiffeId}: it ended at ${expiresAt.toISOString()}`,
    )
  }
  const created = Math.floor(now.getTime() / 1000)
  return { created, expires: Math.min(created + Math.floor(lifeSeconds), Math.floor(expiresAt.getTime() / 1000)) }
}

/**
 * Checks when a proof may be used, in seconds since 1970 as it says them, and gives the instant from which it is of no use to
 * anybody here.
 *
 * @throws {@link SallyportError} `WIT_PROOF_EXPIRED`, `WIT_PROOF_INVALID` when it does not say
 */
export function checkProofTimes(
  { created, expires }: { readonly created?: unknown; readonly expires: unknown },
  { now, leewaySeconds, maxProofLifeSeconds = PROOF_LIFE_MAX_SECONDS }: ProofLimits,
): Date {
  const leewayMs = leewayMsOf(leewaySeconds)
  const ends = instantOf(expires)
  if (ends.getTime() + leewayMs <= now.getTime()) throw expired(`it ended at ${ends.toISOString()}`)
  const starts = created === undefined ? undefined : instantOf(created)
  if (starts !== undefined && starts.getTime() - leewayMs > now.getTime())
    throw expired(`it was made at ${starts.toISOString()}, which is to come`)
  // From now on in any case: a start long ago excuses nothing.
  const livesMs = ends.getTime() - Math.min(starts?.getTime() ?? Infinity, now.getTime() + leewayMs)
  if (livesMs > maxProofLifeSeconds * 1000)
    throw expired(`it would be good for more than ${maxProofLifeSeconds} seconds`)
  return new Date(ends.getTime() + leewayMs)
}

function instantOf(seconds: unknown): Date {
  const instant = numericDateOf(seconds)
  if (instant !== undefined) return instant
  throw new SallyportError('WIT_PROOF_INVALID', 'Cannot accept a proof of possession: it does not say when it ends')
}

/** A proof that holds, and is not meant for this service or this path. */
export function forAnother({ spiffeId }: WitSvid): SallyportError {
  return new SallyportError('WIT_PROOF_AUDIENCE', `Cannot accept a proof of ${spiffeId}: it is for another address`)
}

function expired(why: string): SallyportError {
  return new SallyportError('WIT_PROOF_EXPIRED', `Cannot accept a proof of possession: ${why}`)
}
