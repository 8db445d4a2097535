import { SallyportError } from '../errors.ts'
import { TrustDomain } from '../id/trust-domain.ts'
import { isJsonObject, type JsonValue, parseJsonObject } from '../jws/strict-json.ts'
import { bundleJson, checkSize, readBundleJson, x509Keys } from './bundle-document.ts'
import { type BundleLimits, FOREIGN_BUNDLE_LIMITS } from './bundle-limits.ts'
import { type BundleSet, bundleSetOf } from './bundle-set.ts'

/** The longest map of bundles that is read, and the most trust domains in it. */
export const BUNDLE_MAP_MAX_BYTES = 4 * 1024 * 1024
export const BUNDLE_MAP_MAX_TRUST_DOMAINS = 1000

/**
 * Prints bundles as one map by name of the trust domain. Refresh hints are left out: the map is refreshed as a whole.
 *
 * @param x509Only only X.509 authorities, and only of trust domains that have some, as validators in proxies want it
 * @see SPIFFE_Trust_Domain_and_Bundle.md §4.3
 */
export function printBundleMap(bundles: BundleSet, { x509Only = false } = {}): string {
  const entries = bundles
    .values()
    .filter(({ x509Authorities }) => !x509Only || x509Authorities.length > 0)
    .toSorted((a, b) => (a.trustDomain.name < b.trustDomain.name ? -1 : 1))
    .map((bundle) => [
      bundle.trustDomain.name,
      { ...bundleJson(bundle, { withHint: false }), ...(x509Only ? { keys: x509Keys(bundle) } : {}) },
    ])
  return `${JSON.stringify({ trust_domains: Object.fromEntries(entries) }, null, 2)}\n`
}

/**
 * Reads a map of bundles: the full state, all or nothing.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID`, `JSON_INVALID`, `TRUST_DOMAIN_INVALID`
 */
export function parseBundleMap(text: string, limits: BundleLimits = FOREIGN_BUNDLE_LIMITS): BundleSet {
  checkSize(text, 'the map of bundles', { ...limits, sizeBytes: BUNDLE_MAP_MAX_BYTES })
  const { trust_domains: members } = parseJsonObject(text, 'the map of bundles') as {
    readonly trust_domains?: JsonValue
  }
  if (!isJsonObject(members)) throw invalid('it has no object "trust_domains"')
  const entries = Object.entries(members)
  if (entries.length > BUNDLE_MAP_MAX_TRUST_DOMAINS)
    throw invalid(`more than ${BUNDLE_MAP_MAX_TRUST_DOMAINS} trust domains`)
  return bundleSetOf(
    entries.map(([name, json]) => {
      const trustDomain = TrustDomain.parse(name)
      if (!isJsonObject(json)) throw invalid(`the bundle of ${trustDomain.name} is not an object`)
      const sequence = json['spiffe_sequence']
      const whole = typeof sequence === 'number' && Number.isSafeInteger(sequence) && sequence >= 0
      const { bundle } = readBundleJson(json, whole ? BigInt(sequence) : undefined, trustDomain, limits)
      // The map is refreshed as a whole; a hint that one of its bundles carries is nobody's.
      return { ...bundle, refreshHintSeconds: 0 }
    }),
  )
}

function invalid(why: string): SallyportError {
  return new SallyportError('BUNDLE_INVALID', `Cannot read the map of bundles: ${why}`)
}
