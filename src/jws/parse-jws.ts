import { SallyportError } from '../errors.ts'
import { decodeBase64Url } from './base64.ts'
import { isJwsAlgorithm, type JwsAlgorithm } from './jws-algorithm.ts'
import { parseJsonObject, type JsonObject } from './strict-json.ts'

/** The longest token that is read, in bytes. */
export const JWS_MAX_BYTES = 64 * 1024

/** The longest key id that is looked up. */
export const KEY_ID_MAX = 1024

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
 * @throws {@link SallyportError} `JWS_INVALID`, `JSON_INVALID`
 * @see JWT-SVID.md §2; RFC 7515 §5.2
 */
export function parseJws(token: string): ParsedJws {
  if (token.length > JWS_MAX_BYTES) throw invalid(`it is longer than ${JWS_MAX_BYTES} bytes`)
  const parts = token.split('.', 6)
  const [header, payload, signature] = parts
  if (parts.length !== 3 || !header || !payload || !signature) throw invalid('it is not three parts joined by two dots')
  const { algorithm, keyId } = readHeader(parseJsonObject(segmentOf(header, 'header'), 'the header of a token'))
  return {
    algorithm,
    keyId,
    payload: parseJsonObject(segmentOf(payload, 'payload'), 'the payload of a token'),
    signed: Buffer.from(`${header}.${payload}`),
    signature: segmentOf(signature, 'signature'),
  }
}

function readHeader(header: JsonObject): { algorithm: JwsAlgorithm; keyId: string | undefined } {
  const { alg, kid, typ, ...others } = header as Partial<Record<string, JsonObject[string]>>
  if (!isJwsAlgorithm(alg)) throw invalid('its "alg" is not one of RS, ES or PS with 256, 384 or 512')
  if (typ !== undefined && typ !== 'JWT' && typ !== 'JOSE') throw invalid('its "typ" is neither JWT nor JOSE')
  // Extra parameters such as jwk, jku or crit change what a signature means to readers that act on them.
  const [extra] = Object.keys(others)
  if (extra !== undefined) throw invalid(`its header has ${JSON.stringify(extra.slice(0, 60))}, which no JWT-SVID has`)
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || kid.length > KEY_ID_MAX)) {
    throw invalid('its "kid" is not the id of a key')
  }
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
