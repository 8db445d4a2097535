import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import type { Certificate } from '../x509/certificate.ts'
import type { Crl } from '../x509/crl.ts'
import { spkiOf } from '../x509/spki.ts'

/** A CA certificate that a trust domain's X509-SVIDs are verified with. */
export interface X509Authority {
  readonly certificate: Certificate
  /** Tainted: still verifies, but whoever holds an SVID of it asks for a new one. */
  readonly tainted: boolean
}

/** A public key that a trust domain's JWT-SVIDs are verified with. */
export interface JwtAuthority {
  readonly keyId: string
  readonly publicKey: KeyObject
  readonly expiresAt: Date | undefined
  readonly tainted: boolean
}

/**
 * A public key that a trust domain's WIT-SVIDs are verified with. It looks like a key for JWT-SVIDs, and is never used as one.
 *
 * @see WIT-SVID.md (Incubating)
 */
export type WitAuthority = JwtAuthority

/** What a trust domain publishes so that others can verify its SVIDs. Immutable: a change makes a new one with a higher sequence. */
export interface Bundle {
  readonly trustDomain: TrustDomain
  readonly x509Authorities: readonly X509Authority[]
  readonly jwtAuthorities: readonly JwtAuthority[]
  /** Empty where the trust domain has no WIT-SVIDs. */
  readonly witAuthorities: readonly WitAuthority[]
  /** Revocation lists that verifiers apply; none where revocation is not checked. */
  readonly crls?: readonly Crl[] | undefined
  /** Seconds until a reader should look again; 0: unspecified. */
  readonly refreshHintSeconds: number
  readonly sequenceNumber: number
}

/** The fields of a bundle; what is left out is empty. */
export interface BundleFields {
  readonly trustDomain: TrustDomain
  readonly x509Authorities?: readonly X509Authority[] | undefined
  readonly jwtAuthorities?: readonly JwtAuthority[] | undefined
  readonly witAuthorities?: readonly WitAuthority[] | undefined
  readonly crls?: readonly Crl[] | undefined
  readonly refreshHintSeconds?: number | undefined
  readonly sequenceNumber?: number | undefined
}

/**
 * Makes a bundle. A certificate listed twice is kept once.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID` when two keys for tokens of any kind share an id, or a number is not a whole one of 0 or more
 */
export function bundleOf(fields: BundleFields): Bundle {
  const { trustDomain, x509Authorities = [], jwtAuthorities = [], witAuthorities = [], crls = [] } = fields
  const { refreshHintSeconds = 0, sequenceNumber = 0 } = fields
  checkKeyIds(trustDomain, { JWT: jwtAuthorities, WIT: witAuthorities })
  for (const [name, value] of Object.entries({ refreshHintSeconds, sequenceNumber })) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw invalid(trustDomain, `${name} must be a whole number of 0 or more`)
  }
  return {
    trustDomain,
    x509Authorities: onceEach(x509Authorities),
    jwtAuthorities,
    witAuthorities,
    ...(crls.length === 0 ? {} : { crls }),
    refreshHintSeconds,
    sequenceNumber,
  }
}

/** Ids are unique in the whole bundle, whatever the keys are for. */
function checkKeyIds(trustDomain: TrustDomain, kinds: Readonly<Record<'JWT' | 'WIT', readonly JwtAuthority[]>>): void {
  const holders = new Map<string, string>()
  for (const [kind, authorities] of Object.entries(kinds)) {
    for (const { keyId } of authorities) {
      if (keyId === '') throw invalid(trustDomain, `a ${kind} key has no id`)
      const other = holders.get(keyId)
      const which = other === kind ? `two ${kind} keys` : `a ${other} key and a ${kind} key`
      if (other !== undefined) throw invalid(trustDomain, `${which} have the id ${JSON.stringify(keyId)}`)
      holders.set(keyId, kind)
    }
  }
}

function onceEach(authorities: readonly X509Authority[]): readonly X509Authority[] {
  const seen = new Set<string>()
  return authorities.filter(({ certificate }) => {
    const text = certificate.der.toString('latin1')
    return !seen.has(text) && seen.add(text)
  })
}

function invalid(trustDomain: TrustDomain, why: string): SallyportError {
  return new SallyportError('BUNDLE_INVALID', `Cannot make a bundle of ${trustDomain.name}: ${why}`)
}

/** Do two bundles say the same? The order of authorities and the sequence number do not count: they say nothing about trust. */
export function bundlesEqual(a: Bundle, b: Bundle): boolean {
  return (
    a.trustDomain.equals(b.trustDomain) &&
    a.refreshHintSeconds === b.refreshHintSeconds &&
    sameElements(a.x509Authorities.map(printX509Authority), b.x509Authorities.map(printX509Authority)) &&
    sameElements(a.jwtAuthorities.map(printTokenAuthority), b.jwtAuthorities.map(printTokenAuthority)) &&
    sameElements(a.witAuthorities.map(printTokenAuthority), b.witAuthorities.map(printTokenAuthority))
  )
}

const printX509Authority = ({ certificate, tainted }: X509Authority): string =>
  `${tainted} ${certificate.der.toString('base64')}`

function printTokenAuthority({ keyId, publicKey, expiresAt, tainted }: JwtAuthority): string {
  const spki = spkiOf(publicKey).toString('base64')
  return `${tainted} ${expiresAt?.getTime() ?? ''} ${spki} ${keyId}`
}

function sameElements(a: readonly string[], b: readonly string[]): boolean {
  const wanted = new Set(a)
  return a.length === b.length && b.every((text) => wanted.has(text))
}
