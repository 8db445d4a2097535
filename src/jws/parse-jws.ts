import { SallyportError } from '../errors.ts'
import { decodeBase64Url } from './base64.ts'
import { isJwsAlgorithm, type JwsAlgorithm } from './jws-algorithm.ts'
import { parseJsonObject, type JsonObject } from './strict-json.ts'

/** The longest token that is read, in bytes. */
export const JWS_MAX_BYTES = 64 * 1024

/** The longest key id that is looked up. */
export const KEY_ID_MAX = 1024

/** What the header of a kind of token says besides `alg`. */
export interface JwsProfile {
  /** What the token is called in messages. */
  readonly name: string
  /** The values that `typ` may have; undefined: it may be absent. */
  readonly types: readonly (string | undefined)[]
  /** Whether `kid` must be there. */
  readonly needsKeyId: boolean
  /** What becomes of parameters other than `alg`, `kid` and `typ`. `crit` is always refused, and a key in a header never used. */
  readonly otherParameters: 'refused' | 'ignored'
}

/** @see JWT-SVID.md §2 */
export const JWT_SVID_HEADER: JwsProfile = {
  name: 'JWT-SVID',
  types: [undefined, 'JWT', 'JOSE'],
  needsKeyId: false,
  otherParameters: 'refused',
}

/** @see WIT-SVID.md §2 (Incubating) */
export const WIT_SVID_HEADER: JwsProfile = {
  name: 'WIT-SVID',
  types: ['wit+jwt'],
  needsKeyId: true,
  otherParameters: 'ignored',
}

/** The proof that comes with a WIT-SVID; its key is in that, so it names none. @see draft-ietf-wimse-wpt-02 §2 */
export const PROOF_TOKEN_HEADER: JwsProfile = {
  name: 'Workload Proof Token',
  types: ['wpt+jwt'],
  needsKeyId: false,
  otherParameters: 'ignored',
}

/** A token taken apart. Nothing in it is true before its signature is verified. */
export interface ParsedJws {
  readonly algorithm: JwsAlgorithm
  /** Undefined when the header has none. */
  readonly keyId: string | undefined
  readonly payload: JsonObject
  /** The bytes that the signature covers. */
  readonly signed: Buffer
  readonly signature: Buffer
}

/**
 * Reads JWS compact serialization with a header of `alg`, `kid` and `typ`; the algorithm is checked before anything else is read.
 *
 * @param profile what the header may say: a token of one kind is never read as another. Default: that of a JWT-SVID
 *
 * @throws {@link SallyportError} `JWS_INVALID`, `JSON_INVALID`
 * @see JWT-SVID.md §2; RFC 7515 §5.2
 */
export function parseJws(token: string, profile: JwsProfile = JWT_SVID_HEADER): ParsedJws {
  if (token.length > JWS_MAX_BYTES) throw invalid(`it is longer than ${JWS_MAX_BYTES} bytes`)
  const parts = token.split('.', 6)
  const [header, payload, signature] = parts
  if (parts.length !== 3 || !header || !payload || !signature) throw invalid('it is not three parts joined by two dots')
  const { algorithm, keyId } = readHeader(
    parseJsonObject(segmentOf(header, 'header'), 'the header of a token'),
    profile,
  )
  return {
    algorithm,
    keyId,
    payload: parseJsonObject(segmentOf(payload, 'payload'), 'the payload of a token'),
    signed: Buffer.from(`${header}.${payload}`),
    signature: segmentOf(signature, 'signature'),
  }
}

function readHeader(
  header: JsonObject,
  { name, types, needsKeyId, otherParameters }: JwsProfile,
): { algorithm: JwsAlgorithm; keyId: string | undefined } {
  const { alg, kid, typ, ...others } = header as Partial<Record<string, JsonObject[string]>>
  if (!isJwsAlgorithm(alg)) throw invalid('its "alg" is not one of RS, ES or PS with 256, 384 or 512')
  if (!types.some((type) => type === typ)) throw invalid(`its "typ" is not that of a ${name}`)
  // Extra parameters such as jwk, jku or crit change what a signature means to readers that act on them.
  const [extra] = otherParameters === 'refused' ? Object.keys(others) : Object.hasOwn(others, 'crit') ? ['crit'] : []
  if (extra !== undefined) throw invalid(`its header has ${JSON.stringify(extra.slice(0, 60))}, which no ${name} has`)
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > KEY_ID_MAX)) {
    throw invalid('its "kid" is not the id of a key')
  }
  if (needsKeyId && kid === undefined) throw invalid(`it has no "kid", which each ${name} has`)
  return { algorithm: alg, keyId: kid }
}

function segmentOf(text: string, name: string): Buffer {
  const bytes = decodeBase64Url(text)
  if (bytes === undefined) throw invalid(`its ${name} is not base64url`)
  return bytes
}

function invalid(why: string): SallyportError {
  return new SallyportError('JWS_INVALID', `Cannot read token: ${why}`)
}
