import type { Labels } from '../metrics/registry.ts'
import type { Bundle } from './bundle.ts'

/** For metrics: two places hold the same of a trust domain where the figures are equal (Trust Domain and Bundle §4.1.1). */
export function bundleSequences(bundles: Iterable<Bundle>): readonly (readonly [Labels, number])[] {
  return [...bundles].map(({ trustDomain, sequenceNumber }) => [{ trust_domain: trustDomain.name }, sequenceNumber])
}
