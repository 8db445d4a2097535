import { SallyportError } from '../errors.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import { isKnownKeyType } from '../jws/jwk.ts'
import { isJsonObject, type JsonValue, parseJsonObject } from '../jws/strict-json.ts'
import { type Bundle, bundleOf, type JwtAuthority } from './bundle.ts'
import { type BundleLimits, OWN_BUNDLE_LIMITS } from './bundle-limits.ts'
import { checkSize, jwtKeys, witJwks } from './bundle-document.ts'
import { tokenAuthorityOf } from './read-keys.ts'

/**
 * Prints a JWK Set of the JWT keys alone, for the Workload API and for validators of any kind.
 *
 * Neither `use` nor `alg` is written: general libraries ignore keys whose `use` they do not know, and some SPIFFE
 * clients refuse the whole document because of one key that is not theirs.
 */
export function printJwks(bundle: Bundle): string {
  return JSON.stringify({ keys: jwtKeys(bundle) })
}

/**
 * Prints a JWK Set of the WIT keys alone, for the Workload API: with `use`, and without `alg`.
 *
 * @see SPIFFE_Workload_API.md §7 (Incubating)
 */
export function printWitJwks(bundle: Bundle): string {
  return JSON.stringify({ keys: witJwks(bundle) })
}

/**
 * Reads a JWT bundle of the Workload API: keys with `kid` whose `use` is absent or `jwt-svid`.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID`, `JSON_INVALID`
 */
export function parseJwks(text: string, trustDomain: TrustDomain, limits: BundleLimits = OWN_BUNDLE_LIMITS): Bundle {
  return bundleOf({
    trustDomain,
    jwtAuthorities: keysFor('jwt-svid', `the JWT bundle of ${trustDomain.name}`, text, limits),
  })
}

/**
 * Reads a WIT bundle of the Workload API: keys with `kid` whose `use` is absent or `wit-svid`.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID`, `JSON_INVALID`
 */
export function parseWitJwks(text: string, trustDomain: TrustDomain, limits: BundleLimits = OWN_BUNDLE_LIMITS): Bundle {
  return bundleOf({
    trustDomain,
    witAuthorities: keysFor('wit-svid', `the WIT bundle of ${trustDomain.name}`, text, limits),
  })
}

function keysFor(use: string, what: string, text: string, limits: BundleLimits): readonly JwtAuthority[] {
  checkSize(text, what, limits)
  const { keys } = parseJsonObject(text, what) as { readonly keys?: JsonValue }
  if (!Array.isArray(keys)) throw new SallyportError('BUNDLE_INVALID', `Cannot read ${what}: it has no list of keys`)
  const authorities: JwtAuthority[] = []
  for (const key of keys as readonly JsonValue[]) {
    if (!isJsonObject(key) || !isKnownKeyType(key['kty'])) continue
    if (key['use'] !== undefined && key['use'] !== use) continue
    const authority = usable(() => tokenAuthorityOf(key, authorities))
    if (authority !== undefined) authorities.push(authority)
  }
  return authorities
}

/** A key that cannot verify anything is the same as no key; the others still count. */
function usable(read: () => JwtAuthority): JwtAuthority | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof SallyportError) return undefined
    throw error
  }
}
