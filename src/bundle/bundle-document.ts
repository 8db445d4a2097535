import { SallyportError } from '../errors.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import { jwkOf, type PublicJwk } from '../jws/jwk.ts'
import { type JsonObject, type JsonValue, parseJsonObject, wholeNumberOf } from '../jws/strict-json.ts'
import { bundleOf, type Bundle, type JwtAuthority, type WitAuthority } from './bundle.ts'
import { type BundleLimits, FOREIGN_BUNDLE_LIMITS } from './bundle-limits.ts'
import { type KeyReading, readKey } from './read-keys.ts'

/** The bounds of a hint that comes from outside; a publisher must not make its readers poll every second, or never. */
export const REFRESH_HINT_MIN_SECONDS = 60
export const REFRESH_HINT_MAX_SECONDS = 24 * 60 * 60
/** How often a reader looks again when the document does not say. */
export const REFRESH_HINT_DEFAULT_SECONDS = 300

/** A SPIFFE bundle as it was read, with what a reader of many versions needs besides. */
export interface BundleDocument {
  readonly bundle: Bundle
  /** `spiffe_sequence` exactly, up to 64 bits; `bundle.sequenceNumber` holds it only as far as a number can. */
  readonly sequence: bigint | undefined
  /** Seconds until the next look, within limits. */
  readonly pollAfterSeconds: number
  /** What was left out or replaced, as sentences for the log. */
  readonly warnings: readonly string[]
}

export interface PrintBundleOptions {
  /**
   * Also print the keys of WIT-SVIDs. Default: no, because SPIRE before 1.15.3 refuses a whole bundle for one `use` that it does
   * not know.
   */
  readonly witKeys?: boolean | undefined
}

/**
 * Prints a SPIFFE bundle: a JWK Set with one key for each authority. The same content prints as the same bytes.
 *
 * @see SPIFFE_Trust_Domain_and_Bundle.md §4
 */
export function printBundleDocument(bundle: Bundle, options: PrintBundleOptions = {}): string {
  return `${JSON.stringify(bundleJson(bundle, options), null, 2)}\n`
}

/** The members of a bundle document. Maps of bundles leave out the hint. */
export function bundleJson(
  bundle: Bundle,
  { withHint = true, witKeys = false }: PrintBundleOptions & { readonly withHint?: boolean } = {},
): object {
  return {
    spiffe_sequence: bundle.sequenceNumber,
    ...(withHint && bundle.refreshHintSeconds > 0 ? { spiffe_refresh_hint: bundle.refreshHintSeconds } : {}),
    keys: [
      ...x509Keys(bundle),
      ...jwtKeys(bundle).map((key) => withUse(key, 'jwt-svid')),
      ...(witKeys ? witJwks(bundle) : []),
    ],
  }
}

/** X.509 authorities as JWKs, in an order that depends on nothing but themselves. */
export function x509Keys({ x509Authorities }: Bundle): object[] {
  return x509Authorities
    .map(({ certificate }) => certificate)
    .toSorted((a, b) => a.notBefore.getTime() - b.notBefore.getTime() || Buffer.compare(a.der, b.der))
    .map(({ der, publicKey }) => ({ ...jwkOf(publicKey), use: 'x509-svid', x5c: [der.toString('base64')] }))
}

/** JWT authorities as JWKs with `kid`, by key id. */
export function jwtKeys({ jwtAuthorities }: Bundle): PublicJwk[] {
  return tokenKeys(jwtAuthorities)
}

/** WIT authorities as JWKs with `use` and `kid`, by key id. */
export function witJwks({ witAuthorities }: Bundle): PublicJwk[] {
  return tokenKeys(witAuthorities).map((key) => withUse(key, 'wit-svid'))
}

const tokenKeys = (authorities: readonly JwtAuthority[]): PublicJwk[] =>
  authorities.toSorted((a, b) => (a.keyId < b.keyId ? -1 : 1)).map(({ publicKey, keyId }) => jwkOf(publicKey, keyId))

const withUse = ({ kid = '', ...key }: PublicJwk, use: string): PublicJwk => ({ ...key, use, kid }) as PublicJwk

/**
 * Reads a SPIFFE bundle of a trust domain, which the document itself does not name.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID`, `JSON_INVALID`; whoever holds an earlier bundle keeps it
 */
export function parseBundleDocument(text: string, trustDomain: TrustDomain, limits?: BundleLimits): Bundle {
  return readBundleDocument(text, trustDomain, limits).bundle
}

/** Like {@link parseBundleDocument}, with what a poller needs besides. */
export function readBundleDocument(
  text: string,
  trustDomain: TrustDomain,
  limits: BundleLimits = FOREIGN_BUNDLE_LIMITS,
): BundleDocument {
  const what = `the bundle of ${trustDomain.name}`
  checkSize(text, what, limits)
  const json = parseJsonObject(text, what)
  return readBundleJson(json, wholeNumberOf(text, 'spiffe_sequence'), trustDomain, limits)
}

/** Refuses a document before it is parsed. */
export function checkSize(text: string, what: string, { sizeBytes }: BundleLimits): void {
  if (Buffer.byteLength(text) > sizeBytes) throw invalid(`${what} is longer than ${sizeBytes} bytes`)
}

/** Reads the members of a bundle document. */
export function readBundleJson(
  json: JsonObject,
  sequence: bigint | undefined,
  trustDomain: TrustDomain,
  { authorities }: BundleLimits,
): BundleDocument {
  const keys: JsonValue | undefined = json['keys']
  if (!Array.isArray(keys)) throw invalid(`the bundle of ${trustDomain.name} has no list of keys`)
  const reading: KeyReading = { x509: [], jwt: [], wit: [], warnings: [] }
  for (const [index, key] of (keys as readonly JsonValue[]).entries()) {
    readKey(key, index, reading)
    if (Math.max(reading.x509.length, reading.jwt.length, reading.wit.length) > authorities) {
      throw invalid(`the bundle of ${trustDomain.name} has more than ${authorities} authorities of one kind`)
    }
  }
  const hint = readHint(json['spiffe_refresh_hint'], reading.warnings)
  const known = sequenceOf(json['spiffe_sequence'], sequence, reading.warnings)
  const bundle = bundleOf({
    trustDomain,
    x509Authorities: reading.x509,
    jwtAuthorities: reading.jwt,
    witAuthorities: witKeysApart(reading),
    refreshHintSeconds: hint ?? 0,
    sequenceNumber: Number(known === undefined ? 0n : known < MAX_SAFE ? known : MAX_SAFE),
  })
  return { bundle, sequence: known, pollAfterSeconds: hint ?? REFRESH_HINT_DEFAULT_SECONDS, warnings: reading.warnings }
}

/** Of two keys with one id the JWT key stays: what is Incubating must not spoil what is Stable, in whatever order they come. */
function witKeysApart({ jwt, wit, warnings }: KeyReading): readonly WitAuthority[] {
  const taken = new Set(jwt.map(({ keyId }) => keyId))
  return wit.filter(({ keyId }) => {
    if (!taken.has(keyId)) return true
    warnings.push(`the WIT key ${JSON.stringify(keyId.slice(0, 60))} is left out: a JWT key has its id`)
    return false
  })
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER)
const MAX_UINT64 = 2n ** 64n - 1n

function sequenceOf(value: JsonValue | undefined, exact: bigint | undefined, warnings: string[]): bigint | undefined {
  if (value === undefined) return undefined
  if (exact !== undefined && exact <= MAX_UINT64) return exact
  warnings.push('spiffe_sequence is not a whole number of 64 bits and is ignored')
  return undefined
}

function readHint(value: JsonValue | undefined, warnings: string[]): number | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) {
    return Math.min(Math.max(value, REFRESH_HINT_MIN_SECONDS), REFRESH_HINT_MAX_SECONDS)
  }
  warnings.push(`spiffe_refresh_hint is not a whole number of seconds; ${REFRESH_HINT_DEFAULT_SECONDS} is used`)
  return undefined
}

function invalid(why: string): SallyportError {
  return new SallyportError('BUNDLE_INVALID', `Cannot read a bundle: ${why}`)
}
