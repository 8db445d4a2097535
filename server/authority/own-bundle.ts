import { type Bundle, bundleOf, type JwtAuthority, type X509Authority } from '../../src/bundle/bundle.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { publicKeyOfSpki, spkiOf } from '../../src/x509/spki.ts'
import type { AuthorityRow } from '../store/store.ts'

/** What somebody added to the bundle and what was lost stays this long after its end, as SPIRE has it. */
const EXPIRED_STAYS_MS = 24 * 3_600_000

/** The lists of a bundle; the sequence number is given by whoever stores it. */
export type BundleContent = Pick<Bundle, 'x509Authorities' | 'jwtAuthorities' | 'witAuthorities' | 'refreshHintSeconds'>

export function emptyBundle(trustDomain: TrustDomain): Bundle {
  return bundleOf({ trustDomain })
}

/** The first DER of a row: its CA certificate, or the public key of one that signs tokens. */
export function publicDerOf(row: AuthorityRow): Buffer {
  const [der] = row.publicDer
  if (der === undefined) throw new TypeError(`authority ${row.authorityId} has no public part`)
  return der
}

export function isInBundle(bundle: BundleContent, row: AuthorityRow): boolean {
  return row.kind === 'x509'
    ? bundle.x509Authorities.some((one) => isX509(one, row))
    : bundle[listOf(row.kind)].some((one) => isTokenKey(one, row))
}

const listOf = (kind: 'jwt' | 'wit'): 'jwtAuthorities' | 'witAuthorities' =>
  kind === 'jwt' ? 'jwtAuthorities' : 'witAuthorities'

const isX509 = (one: X509Authority, row: AuthorityRow): boolean => one.certificate.der.equals(publicDerOf(row))
const isTokenKey = (one: JwtAuthority, row: AuthorityRow): boolean =>
  one.keyId === row.authorityId && spkiOf(one.publicKey).equals(publicDerOf(row))

/** With an authority at the end of its list, or unchanged when it is there. */
export function withAuthority<T extends BundleContent>(bundle: T, row: AuthorityRow): T {
  if (isInBundle(bundle, row)) return bundle
  const { tainted } = row
  const der = publicDerOf(row)
  if (row.kind === 'x509') {
    return { ...bundle, x509Authorities: [...bundle.x509Authorities, { certificate: decodeCertificate(der), tainted }] }
  }
  const authority: JwtAuthority = {
    keyId: row.authorityId,
    publicKey: publicKeyOfSpki(der),
    expiresAt: row.notAfter,
    tainted,
  }
  const list = listOf(row.kind)
  return { ...bundle, [list]: [...bundle[list], authority] }
}

export function withoutAuthority<T extends BundleContent>(bundle: T, row: AuthorityRow): T {
  return row.kind === 'x509'
    ? { ...bundle, x509Authorities: bundle.x509Authorities.filter((one) => !isX509(one, row)) }
    : { ...bundle, [listOf(row.kind)]: bundle[listOf(row.kind)].filter((one) => !isTokenKey(one, row)) }
}

export function withTaint<T extends BundleContent>(bundle: T, row: AuthorityRow): T {
  const tainted = <A extends object>(list: readonly A[], isIt: (one: A) => boolean): A[] =>
    list.map((one) => (isIt(one) ? { ...one, tainted: true } : one))
  if (row.kind === 'x509') {
    return { ...bundle, x509Authorities: tainted(bundle.x509Authorities, (one) => isX509(one, row)) }
  }
  const list = listOf(row.kind)
  return { ...bundle, [list]: tainted(bundle[list], (one) => isTokenKey(one, row)) }
}

/** Without what ended a day ago and is nobody's whose row is still kept. */
export function withoutExpired<T extends BundleContent>(bundle: T, kept: readonly AuthorityRow[], now: Date): T {
  const endedBefore = new Date(now.getTime() - EXPIRED_STAYS_MS)
  const x509Authorities = bundle.x509Authorities.filter(
    (one) => one.certificate.notAfter >= endedBefore || kept.some((row) => row.kind === 'x509' && isX509(one, row)),
  )
  const needed = (kind: 'jwt' | 'wit'): readonly JwtAuthority[] =>
    bundle[listOf(kind)].filter(
      (one) =>
        one.expiresAt === undefined ||
        one.expiresAt >= endedBefore ||
        kept.some((row) => row.kind === kind && isTokenKey(one, row)),
    )
  const [jwtAuthorities, witAuthorities] = [needed('jwt'), needed('wit')]
  const isSame =
    x509Authorities.length === bundle.x509Authorities.length &&
    jwtAuthorities.length === bundle.jwtAuthorities.length &&
    witAuthorities.length === bundle.witAuthorities.length
  return isSame ? bundle : { ...bundle, x509Authorities, jwtAuthorities, witAuthorities }
}

/**
 * Without the keys of a kind that say no end, once none of that kind with an end is left: others may sign as long as there is one, and
 * after it nobody does.
 */
export function withoutUnended<T extends BundleContent>(bundle: T, kind: 'jwt' | 'wit', now: Date): T {
  const list = listOf(kind)
  const isInUse = bundle[list].some(({ expiresAt }) => expiresAt !== undefined && expiresAt > now)
  const kept = bundle[list].filter(({ expiresAt }) => expiresAt !== undefined)
  return isInUse || kept.length === bundle[list].length ? bundle : { ...bundle, [list]: kept }
}
