import type { TrustDomain } from '../id/trust-domain.ts'
import type { Bundle } from './bundle.ts'

/** Bundles, one for each trust domain; never one pool: whoever verifies names the trust domain of the SVID. Immutable. */
export interface BundleSet {
  get(trustDomain: TrustDomain | string): Bundle | undefined
  values(): readonly Bundle[]
}

/** A fixed set of bundles; of two for one trust domain the later one counts. */
export function bundleSetOf(bundles: Iterable<Bundle>): BundleSet {
  const byName = new Map<string, Bundle>()
  for (const bundle of bundles) byName.set(bundle.trustDomain.name, bundle)
  const all = [...byName.values()]
  return {
    get: (trustDomain) => byName.get(typeof trustDomain === 'string' ? trustDomain : trustDomain.name),
    values: () => all,
  }
}

export const NO_BUNDLES = bundleSetOf([])
