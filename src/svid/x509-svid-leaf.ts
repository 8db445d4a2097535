import { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import type { Certificate } from '../x509/certificate.ts'

export interface LeafTolerance {
  /** Accept a leaf without keyUsage, as some issuers outside the standard make them. Default: no. */
  readonly missingKeyUsage?: boolean | undefined
}

/**
 * Checks what a certificate must be to identify a workload, and returns whom it identifies. Says nothing about trust.
 *
 * @throws {@link SallyportError} `X509_SVID_INVALID`
 * @see X509-SVID.md §2 to §5
 */
export function checkX509SvidLeaf(certificate: Certificate, tolerance: LeafTolerance = {}): SpiffeId {
  const spiffeId = idOf(certificate)
  if (spiffeId.path === '') throw invalid(`${spiffeId} has no path, so it is the trust domain and no workload`)
  if (certificate.isCa) throw invalid('a signing certificate identifies nobody')
  const usage = certificate.keyUsage
  if (usage === undefined) {
    if (tolerance.missingKeyUsage === true) return spiffeId
    throw invalid('it has no keyUsage')
  }
  if (usage.has('keyCertSign') || usage.has('cRLSign'))
    throw invalid('its keyUsage allows signing certificates or CRLs')
  if (!usage.has('digitalSignature')) throw invalid('its keyUsage lacks digitalSignature')
  return spiffeId
}

function idOf({ uriSans }: Certificate): SpiffeId {
  const [uri] = uriSans
  if (uri === undefined) throw invalid('it has no URI SAN')
  if (uriSans.length > 1) throw invalid(`it has ${uriSans.length} URI SANs instead of one`)
  try {
    return SpiffeId.parse(uri)
  } catch (cause) {
    if (cause instanceof SallyportError) throw invalid(cause.message, cause)
    throw cause
  }
}

function invalid(why: string, cause?: SallyportError): SallyportError {
  return new SallyportError(
    'X509_SVID_INVALID',
    `Cannot accept X509-SVID: ${why}`,
    cause === undefined ? {} : { cause },
  )
}
