import type { Bundle, JwtAuthority } from '../bundle/bundle.ts'
import type { BundleSet } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import { algorithmProblem } from '../jws/jws-algorithm.ts'
import { parseJws, type ParsedJws } from '../jws/parse-jws.ts'
import { verifyJws } from '../jws/verify-jws.ts'
import type { Cryptography } from '../key/cryptography.ts'
import { threadPoolCryptography } from '../key/thread-pool-cryptography.ts'
import { type JwtSvid, jwtSvidOf, notBeforeOf, wantedAudiences } from './jwt-svid.ts'

/** How far two clocks may differ before a token counts as expired or not valid yet. */
export const JWT_LEEWAY_SECONDS = 5
/** The most that a caller may allow instead. */
export const JWT_LEEWAY_MAX_SECONDS = 60
/** The most keys that are tried for a token without a key id. */
const MAX_TRIED_KEYS = 32

export interface JwtVerification {
  readonly cryptography?: Cryptography | undefined
  readonly leewaySeconds?: number | undefined
  /** Accept a token without `kid` when any fitting key of the trust domain has signed it. Default: no. */
  readonly missingKeyId?: boolean | undefined
}

/**
 * Verifies a JWT-SVID: signed by a key of the trust domain that its `sub` names and of no other, valid now, for one of `audience`.
 *
 * @param audience what the verifier calls itself; at least one
 * @throws {@link SallyportError} `JWS_INVALID`, `JSON_INVALID`, `JWT_SVID_INVALID`, `BUNDLE_UNKNOWN`, `JWT_KEY_UNKNOWN`,
 *   `JWS_SIGNATURE_INVALID`, `JWT_SVID_EXPIRED`, `JWT_SVID_AUDIENCE`
 * @see JWT-SVID.md §4; RFC 7519 §7.2
 */
export async function verifyJwtSvid(
  token: string,
  audience: readonly string[] | string,
  bundles: BundleSet,
  now: Date,
  options: JwtVerification = {},
): Promise<JwtSvid> {
  const accepted = wantedAudiences(audience, 'verifyJwtSvid')
  const jws = parseJws(token)
  const svid = jwtSvidOf(jws, token)
  const bundle = bundles.get(svid.spiffeId.trustDomain)
  if (bundle === undefined) {
    throw new SallyportError(
      'BUNDLE_UNKNOWN',
      `Cannot verify a token of ${svid.spiffeId}: no bundle of ${svid.spiffeId.trustDomain.name} is known`,
    )
  }
  await verifySignature(jws, bundle, now, options)
  checkTimes(svid, now, options.leewaySeconds ?? JWT_LEEWAY_SECONDS)
  if (!svid.audience.some((value) => accepted.includes(value))) {
    throw new SallyportError(
      'JWT_SVID_AUDIENCE',
      `Cannot accept a token of ${svid.spiffeId}: it is for another audience`,
    )
  }
  return svid
}

async function verifySignature(jws: ParsedJws, bundle: Bundle, now: Date, options: JwtVerification): Promise<void> {
  const { cryptography = threadPoolCryptography } = options
  // A key that has ended may be in other hands; its tokens have ended with it.
  const living = bundle.jwtAuthorities.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now)
  if (jws.keyId !== undefined) {
    const authority = living.find(({ keyId }) => keyId === jws.keyId)
    if (authority === undefined) throw keyUnknown(bundle, jws.keyId)
    return verifyJws(jws, authority.publicKey, cryptography)
  }
  if (options.missingKeyId !== true)
    throw new SallyportError('JWT_SVID_INVALID', 'Cannot accept JWT-SVID: it has no "kid"')
  const fitting = living.filter(({ publicKey }) => algorithmProblem(jws.algorithm, publicKey) === undefined)
  await verifyWithAny(jws, fitting.slice(0, MAX_TRIED_KEYS), cryptography)
}

async function verifyWithAny(
  jws: ParsedJws,
  authorities: readonly JwtAuthority[],
  cryptography: Cryptography,
): Promise<void> {
  for (const { publicKey } of authorities) {
    const failure = await verifyJws(jws, publicKey, cryptography).catch((error: unknown) => error)
    if (failure === undefined) return
    if (!(failure instanceof SallyportError)) throw failure
  }
  throw new SallyportError(
    'JWS_SIGNATURE_INVALID',
    'Cannot accept the signature of a token: no key of its trust domain made it',
  )
}

function checkTimes(svid: JwtSvid, now: Date, leewaySeconds: number): void {
  const leewayMs = Math.min(Math.max(leewaySeconds, 0), JWT_LEEWAY_MAX_SECONDS) * 1000
  const notBefore = notBeforeOf(svid)
  if (svid.expiresAt.getTime() + leewayMs <= now.getTime())
    throw expired(svid, `it ended at ${svid.expiresAt.toISOString()}`)
  for (const start of [notBefore, svid.issuedAt]) {
    if (start !== undefined && start.getTime() - leewayMs > now.getTime()) {
      throw expired(svid, `it starts at ${start.toISOString()}`)
    }
  }
}

function expired({ spiffeId }: JwtSvid, why: string): SallyportError {
  return new SallyportError('JWT_SVID_EXPIRED', `Cannot accept a token of ${spiffeId}: ${why}`)
}

function keyUnknown({ trustDomain }: Bundle, keyId: string): SallyportError {
  const shown = JSON.stringify(keyId.slice(0, 80))
  return new SallyportError(
    'JWT_KEY_UNKNOWN',
    `Cannot verify token: the bundle of ${trustDomain.name} has no JWT key ${shown}`,
  )
}
