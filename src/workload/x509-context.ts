import { bundleOf, type Bundle } from '../bundle/bundle.ts'
import { type BundleSet, bundleSetOf } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import { TrustDomain } from '../id/trust-domain.ts'
import { parseX509Svid, type X509Svid } from '../svid/x509-svid.ts'
import type { X509SvidResponse } from '../wire/messages/spiffe-workload.ts'
import { decodeCertificates } from '../x509/decode-certificate.ts'

/** Everything of X.509 that a workload holds at one moment: its SVIDs, the default one first, and the bundles of its own and of foreign trust domains. */
export interface X509Context {
  readonly svids: readonly X509Svid[]
  readonly bundles: BundleSet
}

/** What is held after the agent has withdrawn everything. */
export const NO_X509_CONTEXT: X509Context = { svids: [], bundles: bundleSetOf([]) }

/**
 * Reads a message of the Workload API as a whole; one part that is wrong makes all of it unusable.
 *
 * @throws {@link SallyportError} `WORKLOAD_RESPONSE_INVALID`, and those of the SVIDs and certificates in it
 */
export function x509ContextOf({ svids, federatedBundles }: X509SvidResponse): X509Context {
  if (svids.length === 0) throw incomplete('it has no SVID')
  const own: Bundle[] = []
  const held = svids.map(({ spiffeId, x509Svid, x509SvidKey, bundle, hint }) => {
    if (x509Svid.length === 0 || x509SvidKey.length === 0 || bundle.length === 0) {
      throw incomplete('an SVID comes without its certificate, key or bundle')
    }
    const svid = parseX509Svid(x509Svid, x509SvidKey, hint)
    if (svid.spiffeId.toString() !== spiffeId) throw incomplete(`an SVID of ${svid.spiffeId} is announced as another`)
    own.push(x509BundleOf(svid.spiffeId.trustDomain, bundle))
    return svid
  })
  const foreign = Object.entries(federatedBundles).map(([key, der]) => x509BundleOf(trustDomainOfKey(key), der))
  // Own bundles last: no partner's place in the map may replace them.
  return { svids: held, bundles: bundleSetOf([...foreign, ...own]) }
}

/** Authorities that follow each other in DER; no bytes are no authorities, so that nothing of that trust domain is trusted. */
export function x509BundleOf(trustDomain: TrustDomain, der: Buffer): Bundle {
  return bundleOf({
    trustDomain,
    x509Authorities: decodeCertificates(der).map((certificate) => ({ certificate, tainted: false })),
  })
}

/** Reads a key of a map: `spiffe://example.org`, or the bare name as some servers send it. */
export function trustDomainOfKey(key: string): TrustDomain {
  return TrustDomain.parse(key.startsWith('spiffe://') ? key.slice('spiffe://'.length) : key)
}

export function incomplete(why: string): SallyportError {
  return new SallyportError('WORKLOAD_RESPONSE_INVALID', `Cannot use the answer of the Workload API: ${why}`)
}
