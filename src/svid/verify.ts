import type { BundleSet } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import { threadPoolCryptography } from '../key/thread-pool-cryptography.ts'
import type { Certificate } from '../x509/certificate.ts'
import { CERTIFICATE_MAX_BYTES, decodeCertificate, decodeCertificates } from '../x509/decode-certificate.ts'
import { readPemCertificates } from '../x509/pem.ts'
import type { JwtSvid } from './jwt-svid.ts'
import { verifyJwtSvid as verifyJwt } from './verify-jwt-svid.ts'
import { verifyX509Svid as verifyX509 } from './verify-x509-svid.ts'
import { X509_SVID_MAX_CHAIN, type X509Svid } from './x509-svid.ts'

/**
 * A chain of certificates, leaf first: each in DER, as `X509Certificate.raw` has it; or all of them one after another in DER, as
 * the Workload API sends them; or as PEM text.
 */
export type CertificateChain = readonly Uint8Array[] | Uint8Array | string

export interface X509VerifyOptions {
  /** The moment to verify for. Default: now. */
  readonly now?: Date | undefined
  /** Accept a leaf without keyUsage, as some issuers outside the standard make them. Default: no. */
  readonly missingKeyUsage?: boolean | undefined
}

export interface JwtVerifyOptions {
  /** The moment to verify for. Default: now. */
  readonly now?: Date | undefined
  /** How far clocks may differ: 0 to 60. Default: 5. */
  readonly leewaySeconds?: number | undefined
  /** Accept a token without `kid` when any fitting key of the trust domain has signed it. Default: no. */
  readonly missingKeyId?: boolean | undefined
}

/**
 * Verifies an X509-SVID against the authorities of the trust domain that its leaf names, and of no other. That the peer holds the
 * key of the leaf is for a handshake to prove.
 *
 * @returns who was proven; whether they are welcome is for the caller to decide, with `exactly`, `memberOf` or `atOrBelow`
 * @throws {@link SallyportError} `CERTIFICATE_INVALID`, `CERTIFICATE_EXPIRED`, `CERTIFICATE_UNTRUSTED`, `CERTIFICATE_REVOKED`,
 *   `X509_SVID_INVALID`, `BUNDLE_UNKNOWN`, `KEY_REFUSED`
 * @see X509-SVID.md §5; RFC 5280 §6
 *
 * @example
 * ```ts
 * const { spiffeId } = await verifyX509Svid(pem, source.current().bundles)
 * ```
 */
export async function verifyX509Svid(
  chain: CertificateChain,
  bundles: BundleSet,
  { now = new Date(), missingKeyUsage }: X509VerifyOptions = {},
): Promise<X509Svid> {
  return verifyX509(certificatesOf(chain), bundles, now, threadPoolCryptography, { missingKeyUsage })
}

/**
 * Verifies a JWT-SVID: signed by a key of the trust domain that its `sub` names and of no other, valid now, for one of `audience`.
 *
 * @param audience what the verifier calls itself; at least one
 * @throws {@link SallyportError} `JWS_INVALID`, `JSON_INVALID`, `JWT_SVID_INVALID`, `BUNDLE_UNKNOWN`, `JWT_KEY_UNKNOWN`,
 *   `JWS_SIGNATURE_INVALID`, `JWT_SVID_EXPIRED`, `JWT_SVID_AUDIENCE`; `TypeError` without an audience
 * @see JWT-SVID.md §4; RFC 7519 §7.2
 */
export async function verifyJwtSvid(
  token: string,
  audience: readonly string[] | string,
  bundles: BundleSet,
  { now = new Date(), leewaySeconds, missingKeyId }: JwtVerifyOptions = {},
): Promise<JwtSvid> {
  return verifyJwt(token, audience, bundles, now, { leewaySeconds, missingKeyId })
}

function certificatesOf(chain: CertificateChain): readonly Certificate[] {
  if (typeof chain === 'string') return readPemCertificates(chain)
  if (chain instanceof Uint8Array) {
    if (chain.byteLength <= X509_SVID_MAX_CHAIN * CERTIFICATE_MAX_BYTES) return decodeCertificates(bufferOf(chain))
  } else if (chain.length <= X509_SVID_MAX_CHAIN) return chain.map((der) => decodeCertificate(bufferOf(der)))
  // Before any of them is read: a long chain is the work of somebody who wants us busy.
  throw new SallyportError(
    'X509_SVID_INVALID',
    `Cannot accept X509-SVID: more than ${X509_SVID_MAX_CHAIN} certificates`,
  )
}

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
