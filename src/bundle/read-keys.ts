import { SallyportError } from '../errors.ts'
import { decodeBase64 } from '../jws/base64.ts'
import { isKnownKeyType, publicKeyOfJwk } from '../jws/jwk.ts'
import { KEY_ID_MAX } from '../jws/parse-jws.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '../jws/strict-json.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import type { JwtAuthority, WitAuthority, X509Authority } from './bundle.ts'

/** Collects the keys of a JWK Set that can be used, and why others cannot. */
export interface KeyReading {
  readonly x509: X509Authority[]
  readonly jwt: JwtAuthority[]
  readonly wit: WitAuthority[]
  readonly warnings: string[]
}

/**
 * Reads one entry of `keys`. One that cannot be used is left out and does not spoil the others.
 *
 * An unknown `use` or `kty` is skipped without a word, because it belongs to readers of the future.
 *
 * @see X509-SVID.md §6, JWT-SVID.md §6, WIT-SVID.md (Incubating), SPIFFE_Trust_Domain_and_Bundle.md §4.2
 */
export function readKey(jwk: JsonValue, index: number, reading: KeyReading): void {
  if (!isJsonObject(jwk)) {
    reading.warnings.push(`keys[${index}] is not an object`)
    return
  }
  if (!isKnownKeyType(jwk['kty'])) return
  try {
    if (jwk['use'] === 'x509-svid') reading.x509.push({ certificate: certificateOf(jwk, index), tainted: false })
    if (jwk['use'] === 'jwt-svid') reading.jwt.push(tokenAuthorityOf(jwk, reading.jwt))
    if (jwk['use'] === 'wit-svid') reading.wit.push(tokenAuthorityOf(jwk, reading.wit))
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error
    reading.warnings.push(`keys[${index}] is left out: ${error.message}`)
  }
}

function certificateOf(jwk: JsonObject, index: number): X509Authority['certificate'] {
  const [first] = Array.isArray(jwk['x5c']) ? (jwk['x5c'] as readonly JsonValue[]) : []
  const der = typeof first === 'string' ? decodeBase64(first) : undefined
  if (der === undefined || der.length === 0)
    throw unusable(`"x5c" of keys[${index}] holds no certificate in standard base64`)
  const certificate = decodeCertificate(der)
  if (!certificate.isCa) throw unusable(`the certificate of keys[${index}] is not that of an authority`)
  return certificate
}

/** @throws {@link SallyportError} when the key cannot verify tokens */
export function tokenAuthorityOf(jwk: JsonObject, others: readonly JwtAuthority[]): JwtAuthority {
  const keyId = jwk['kid']
  if (typeof keyId !== 'string' || keyId.trim() === '' || keyId.length > KEY_ID_MAX) throw unusable('"kid" is missing')
  if (others.some((other) => other.keyId === keyId))
    throw unusable(`another key has the id ${JSON.stringify(keyId.slice(0, 60))}`)
  return { keyId, publicKey: publicKeyOfJwk(jwk), expiresAt: undefined, tainted: false }
}

function unusable(why: string): SallyportError {
  return new SallyportError('BUNDLE_INVALID', why)
}
