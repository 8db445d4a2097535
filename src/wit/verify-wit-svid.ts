import type { Bundle, WitAuthority } from '../bundle/bundle.ts'
import type { BundleSet } from '../bundle/bundle-set.ts'
import { type ErrorCode, SallyportError } from '../errors.ts'
import { parseJws, WIT_SVID_HEADER } from '../jws/parse-jws.ts'
import { verifyJws } from '../jws/verify-jws.ts'
import type { Cryptography } from '../key/cryptography.ts'
import { threadPoolCryptography } from '../key/thread-pool-cryptography.ts'
import { type WitSvid, witSvidOf } from './wit-svid.ts'

/** How far two clocks may differ before a WIT-SVID or a proof counts as ended or not valid yet. */
export const WIT_LEEWAY_SECONDS = 30
/** The most that a caller may allow instead. */
export const WIT_LEEWAY_MAX_SECONDS = 120

/** Why a WIT-SVID is refused: no other code is thrown for what a token says. */
export type WitSvidErrorCode = Extract<
  ErrorCode,
  | 'BUNDLE_UNKNOWN'
  | 'JSON_INVALID'
  | 'JWS_INVALID'
  | 'JWS_SIGNATURE_INVALID'
  | 'KEY_REFUSED'
  | 'WIT_KEY_UNKNOWN'
  | 'WIT_SVID_EXPIRED'
  | 'WIT_SVID_INVALID'
>

export interface WitVerifyOptions {
  /** The moment to verify for. Default: now. */
  readonly now?: Date | undefined
  /** How far clocks may differ: 0 to 120. Default: 30. */
  readonly leewaySeconds?: number | undefined
  /** The longest that a WIT-SVID may live, from its start to its end. Default: as long as its issuer says. */
  readonly maxLifeSeconds?: number | undefined
  readonly cryptography?: Cryptography | undefined
}

/**
 * Verifies a WIT-SVID: signed by a WIT key of the trust domain that its `sub` names and of no other, and valid now. That its sender
 * holds the key in it is for a proof to show: `requireWit` checks both.
 *
 * @returns whose key it is; never accept it without a proof of that key
 * @throws {@link SallyportError} with a {@link WitSvidErrorCode}
 * @see WIT-SVID.md §4 (Incubating)
 */
export async function verifyWitSvid(
  token: string,
  bundles: BundleSet,
  options: WitVerifyOptions = {},
): Promise<WitSvid> {
  const { now = new Date(), cryptography = threadPoolCryptography } = options
  const jws = parseJws(token, WIT_SVID_HEADER)
  const svid = witSvidOf(jws, token)
  await verifyJws(jws, authorityOf(svid, bundles, now).publicKey, cryptography)
  checkTimes(svid, now, options)
  return svid
}

/** Only what the trust domain of the token publishes for WIT-SVIDs; nothing that the token itself points at. */
function authorityOf({ spiffeId, keyId }: WitSvid, bundles: BundleSet, now: Date): WitAuthority {
  const bundle = bundles.get(spiffeId.trustDomain)
  if (bundle === undefined) {
    throw new SallyportError(
      'BUNDLE_UNKNOWN',
      `Cannot verify a WIT-SVID of ${spiffeId}: no bundle of ${spiffeId.trustDomain.name} is known`,
    )
  }
  // A key that has ended may be in other hands; its tokens have ended with it.
  const found = bundle.witAuthorities.find(
    (one) => one.keyId === keyId && (one.expiresAt === undefined || one.expiresAt > now),
  )
  if (found !== undefined) return found
  throw keyUnknown(bundle, keyId)
}

function checkTimes(svid: WitSvid, now: Date, { leewaySeconds, maxLifeSeconds }: WitVerifyOptions): void {
  const leewayMs = leewayMsOf(leewaySeconds)
  const { expiresAt, notBefore, issuedAt } = svid
  if (expiresAt.getTime() + leewayMs <= now.getTime()) throw expired(svid, `it ended at ${expiresAt.toISOString()}`)
  // `iat` limits nothing: it is when the issuer's clock says it was made.
  if (notBefore !== undefined && notBefore.getTime() - leewayMs > now.getTime())
    throw expired(svid, `it starts at ${notBefore.toISOString()}`)
  if (maxLifeSeconds === undefined) return
  const start = notBefore ?? (issuedAt !== undefined && issuedAt < now ? issuedAt : now)
  if (expiresAt.getTime() - start.getTime() > maxLifeSeconds * 1000)
    throw new SallyportError(
      'WIT_SVID_INVALID',
      `Cannot accept WIT-SVID: it lives longer than ${maxLifeSeconds} seconds, the most that is accepted here`,
    )
}

/** How far clocks may differ, within limits; what is no number allows nothing. */
export function leewayMsOf(leewaySeconds = WIT_LEEWAY_SECONDS): number {
  return leewaySeconds > 0 ? Math.min(leewaySeconds, WIT_LEEWAY_MAX_SECONDS) * 1000 : 0
}

function expired({ spiffeId }: WitSvid, why: string): SallyportError {
  return new SallyportError('WIT_SVID_EXPIRED', `Cannot accept a WIT-SVID of ${spiffeId}: ${why}`)
}

function keyUnknown({ trustDomain }: Bundle, keyId: string): SallyportError {
  const shown = JSON.stringify(keyId.slice(0, 80))
  return new SallyportError(
    'WIT_KEY_UNKNOWN',
    `Cannot verify WIT-SVID: the bundle of ${trustDomain.name} has no WIT key ${shown}`,
  )
}
