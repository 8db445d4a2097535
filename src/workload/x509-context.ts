import type { Bundle } from '../bundle/bundle.ts'
import { type BundleSet, bundleSetOf, NO_BUNDLES } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import { TrustDomain } from '../id/trust-domain.ts'
import { parseX509Svid, type X509Svid } from '../svid/x509-svid.ts'
import type { X509BundlesResponse, X509SvidResponse } from '../wire/messages/spiffe-workload.ts'
import { BundleReader } from './bundle-reader.ts'

/** Everything of X.509 that a workload holds at one moment: its SVIDs, the default one first, and the bundles of its own and of foreign trust domains. */
export interface X509Context {
  readonly svids: readonly X509Svid[]
  readonly bundles: BundleSet
}

/** What is held after the agent has withdrawn everything. */
export const NO_X509_CONTEXT: X509Context = { svids: [], bundles: NO_BUNDLES }

export interface X509Reading {
  /** Whether the revocation lists of a message are read, and given to its bundles to be applied. Default: no. */
  readonly checkRevocation?: boolean | undefined
}

/**
 * A reader for the messages of one stream. It reads each as a whole; one part that is wrong makes all of it unusable. A bundle that
 * is the same in the next message stays the same object, so that what was concluded from it is still known.
 *
 * @throws {@link SallyportError} `WORKLOAD_RESPONSE_INVALID`, and those of the SVIDs, certificates and lists in it
 */
export function x509ContextReader({ checkRevocation = false }: X509Reading = {}): (
  message: X509SvidResponse,
) => X509Context {
  const bundles = new BundleReader()
  return ({ svids, federatedBundles, crl }) => {
    if (svids.length === 0) throw incomplete('it has no SVID')
    bundles.begin(checkRevocation ? crl : [])
    const own: Bundle[] = []
    const held = svids.map(({ spiffeId, x509Svid, x509SvidKey, bundle, hint }) => {
      if (x509Svid.length === 0 || x509SvidKey.length === 0 || bundle.length === 0) {
        throw incomplete('an SVID comes without its certificate, key or bundle')
      }
      const svid = parseX509Svid(x509Svid, x509SvidKey, hint)
      if (svid.spiffeId.toString() !== spiffeId) throw incomplete(`an SVID of ${svid.spiffeId} is announced as another`)
      own.push(bundles.read(svid.spiffeId.trustDomain, bundle))
      return svid
    })
    const foreign = Object.entries(federatedBundles).map(([key, der]) => bundles.read(trustDomainOfKey(key), der))
    // Own bundles last: no partner's place in the map may replace them.
    return { svids: held, bundles: bundleSetOf([...foreign, ...own]) }
  }
}

/** A reader for the messages of a stream of X.509 bundles; see {@link x509ContextReader}. */
export function x509BundlesReader({ checkRevocation = false }: X509Reading = {}): (
  message: X509BundlesResponse,
) => BundleSet {
  const reader = new BundleReader()
  return ({ bundles, crl }) => {
    reader.begin(checkRevocation ? crl : [])
    return bundleSetOf(nonEmpty(bundles).map(([key, der]) => reader.read(trustDomainOfKey(key), der)))
  }
}

/** The entries of a map of bundles, which may not be empty. */
export function nonEmpty<T>(bundles: Readonly<Record<string, T>>): (readonly [string, T])[] {
  const entries = Object.entries(bundles)
  if (entries.length === 0) throw incomplete('it has no bundle')
  return entries
}

/** Reads a key of a map: `spiffe://example.org`, or the bare name as some servers send it. */
export function trustDomainOfKey(key: string): TrustDomain {
  return TrustDomain.parse(key.startsWith('spiffe://') ? key.slice('spiffe://'.length) : key)
}

export function incomplete(why: string): SallyportError {
  return new SallyportError('WORKLOAD_RESPONSE_INVALID', `Cannot use the answer of the Workload API: ${why}`)
}
