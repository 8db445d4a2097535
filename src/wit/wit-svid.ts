import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import { jwkOf, type PublicJwk, publicKeyOfJwk } from '../jws/jwk.ts'
import { algorithmProblem, isJwsAlgorithm, type JwsAlgorithm } from '../jws/jws-algorithm.ts'
import { type ParsedJws, parseJws, WIT_SVID_HEADER } from '../jws/parse-jws.ts'
import { isJsonObject, type JsonObject, type JsonValue, parseJsonObject } from '../jws/strict-json.ts'
import { expiryOf, instantOf, subjectOf } from '../svid/token-claims.ts'

/** The longest private key that is read, in characters of JSON: RSA of 4,096 bits needs 3,300. */
export const PRIVATE_JWK_MAX = 16 * 1024

/**
 * A WIT-SVID: a token that binds a key of a workload to its identity. It proves nothing by itself, so it is no secret like a bearer
 * token; it is not logged all the same.
 *
 * @see WIT-SVID.md (Incubating)
 */
export interface WitSvid {
  readonly spiffeId: SpiffeId
  /** The key of the workload, whose other half signs the proofs. */
  readonly publicKey: KeyObject
  /** The same as JWK: the members of its type and nothing else. */
  readonly publicJwk: PublicJwk
  /** What proofs are signed with: `cnf.jwk.alg`. */
  readonly algorithm: JwsAlgorithm
  readonly expiresAt: Date
  readonly notBefore: Date | undefined
  readonly issuedAt: Date | undefined
  /** `jti`: names the token, and says nothing about whether it was seen before. */
  readonly tokenId: string | undefined
  /** Every claim, as the token has it. */
  readonly claims: JsonObject
  readonly token: string
  /** Which key of its trust domain has signed it. */
  readonly keyId: string
  readonly hint: string
}

/** A WIT-SVID of this workload. */
export interface WitSvidWithKey extends WitSvid {
  readonly privateKey: KeyObject
}

/**
 * Reads a WIT-SVID that this process was given by whom it trusts, such as its agent. Verifies nothing.
 *
 * @throws {@link SallyportError} `JWS_INVALID`, `JSON_INVALID`, `WIT_SVID_INVALID`
 */
export function parseWitSvid(token: string, hint = ''): WitSvid {
  return witSvidOf(parseJws(token, WIT_SVID_HEADER), token, hint)
}

/**
 * Puts a WIT-SVID together with its private key, as the Workload API sends it: a private JWK as JSON.
 *
 * @throws {@link SallyportError} `WIT_SVID_INVALID` when it is not the key of the token, `JSON_INVALID`; nothing of the key is in
 *   the message
 */
export function withPrivateKey(svid: WitSvid, privateJwk: string): WitSvidWithKey {
  if (privateJwk.length > PRIVATE_JWK_MAX) throw invalid(`its key is longer than ${PRIVATE_JWK_MAX} characters`)
  const jwk = parseJsonObject(privateJwk, 'the key of a WIT-SVID')
  const privateKey = readPrivateKey(jwk)
  if (!createPublicKey(privateKey).equals(svid.publicKey)) throw invalid('its key is not the one in its "cnf"')
  return { ...svid, privateKey }
}

/** The claims of a token, in the types and places that WIT-SVID §3 asks for. */
export function witSvidOf({ payload, keyId = '' }: ParsedJws, token: string, hint = ''): WitSvid {
  const expiresAt = expiryOf(payload, invalid)
  // A token for an audience is a bearer token to whoever does not know better.
  if (payload['aud'] !== undefined) throw invalid('it has an "aud", which no WIT-SVID has')
  const { publicKey, algorithm } = confirmationOf(payload['cnf'])
  return {
    spiffeId: subjectOf(payload, invalid),
    publicKey,
    publicJwk: jwkOf(publicKey),
    algorithm,
    expiresAt,
    notBefore: instantOf(payload, 'nbf', invalid),
    issuedAt: instantOf(payload, 'iat', invalid),
    tokenId: tokenIdOf(payload['jti']),
    claims: payload,
    token,
    keyId,
    hint,
  }
}

/** The key that the token speaks for (RFC 7800 §3.2): exactly one, public, and strong enough. */
function confirmationOf(cnf: JsonValue | undefined): { publicKey: KeyObject; algorithm: JwsAlgorithm } {
  const jwk = isJsonObject(cnf) ? cnf['jwk'] : undefined
  if (!isJsonObject(cnf) || !isJsonObject(jwk)) throw invalid('it has no "cnf" with a "jwk"')
  if (cnf['jwe'] !== undefined || cnf['jku'] !== undefined) throw invalid('its "cnf" names more than one key')
  const algorithm = jwk['alg']
  if (!isJwsAlgorithm(algorithm)) throw invalid('its "cnf.jwk.alg" is not one of RS, ES or PS with 256, 384 or 512')
  let publicKey: KeyObject
  try {
    publicKey = publicKeyOfJwk(jwk)
  } catch (cause) {
    throw invalid(`its "cnf.jwk" cannot be used: ${(cause as Error).message}`, cause)
  }
  const why = algorithmProblem(algorithm, publicKey)
  if (why !== undefined) throw invalid(`its "cnf.jwk" does not fit: ${why}`)
  return { publicKey, algorithm }
}

function tokenIdOf(jti: JsonValue | undefined): string | undefined {
  if (jti === undefined || typeof jti === 'string') return jti
  throw invalid('its "jti" is not a text')
}

function readPrivateKey(jwk: JsonObject): KeyObject {
  try {
    return createPrivateKey({ key: { ...jwk }, format: 'jwk' })
  } catch {
    // OpenSSL's own message might quote what it could not read.
    throw invalid('its key is not a private JWK')
  }
}

function invalid(why: string, cause?: unknown): SallyportError {
  return new SallyportError('WIT_SVID_INVALID', `Cannot accept WIT-SVID: ${why}`, { cause })
}
