import { createHash } from 'node:crypto'
import { type BundleDocument, checkSize, readBundleDocument, x509Keys } from '../bundle/bundle-document.ts'
import { FOREIGN_BUNDLE_LIMITS } from '../bundle/bundle-limits.ts'
import { bundleOf } from '../bundle/bundle.ts'
import { SallyportError } from '../errors.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import { readPemCertificates } from '../x509/pem.ts'

/** A bundle that somebody brought, by another way than from its endpoint. */
export interface GivenBundle {
  readonly document: BundleDocument
  /** As a SPIFFE bundle, whatever it was given as. */
  readonly text: string
}

/** The bundle that verifies an endpoint the first time. */
export interface InitialBundle extends GivenBundle {
  /** Tells one that was configured later from the one before. */
  readonly digest: string
}

/**
 * Reads a SPIFFE bundle, or certificates in PEM.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID`, `JSON_INVALID`, `CERTIFICATE_INVALID`
 */
export function parseGivenBundle(text: string, trustDomain: TrustDomain): GivenBundle {
  checkSize(text, `the bundle of ${trustDomain.name}`, FOREIGN_BUNDLE_LIMITS)
  const json = text.trimStart().startsWith('{') ? text : bundleOfPem(text, trustDomain)
  return { document: readBundleDocument(json, trustDomain), text: json }
}

/** {@link parseGivenBundle} for a first connection, which takes an X.509 authority. */
export function parseInitialBundle(text: string, trustDomain: TrustDomain): InitialBundle {
  const given = parseGivenBundle(text, trustDomain)
  if (given.document.bundle.x509Authorities.length === 0)
    throw unusable(trustDomain, 'it has no X.509 authority, so that it could verify no endpoint')
  return { ...given, digest: createHash('sha256').update(given.text).digest('hex') }
}

/** Without a sequence, of which PEM says nothing. */
function bundleOfPem(text: string, trustDomain: TrustDomain): string {
  const certificates = readPemCertificates(text)
  if (!certificates.every(({ isCa }) => isCa)) throw unusable(trustDomain, 'a certificate is not that of an authority')
  const x509Authorities = certificates.map((certificate) => ({ certificate, tainted: false }))
  return JSON.stringify({ keys: x509Keys(bundleOf({ trustDomain, x509Authorities })) })
}

function unusable(trustDomain: TrustDomain, why: string): SallyportError {
  return new SallyportError('BUNDLE_INVALID', `Cannot use this bundle of ${trustDomain.name}: ${why}`)
}
