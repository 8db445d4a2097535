import { createPublicKey, type KeyObject } from 'node:crypto'
import { bundleOf, type Bundle, type JwtAuthority, type WitAuthority } from '../bundle/bundle.ts'
import { OWN_BUNDLE_LIMITS, type BundleLimits } from '../bundle/bundle-limits.ts'
import { SallyportError } from '../errors.ts'
import { KEY_ID_MAX } from '../jws/parse-jws.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import { spkiOf } from '../x509/spki.ts'
import { trustDomainFromText } from './id-message.ts'
import type { Bundle as BundleMessage, BundleMask, JwtKey, WitKey } from './messages/spire-api-types.ts'

/** The fields of a bundle as SPIRE's API carries them; the trust domain is always there, the others where the mask wants them. */
export function bundleToMessage(bundle: Bundle, mask?: BundleMask | null): Partial<BundleMessage> {
  const message: BundleMessage = {
    trustDomain: bundle.trustDomain.name,
    x509Authorities: bundle.x509Authorities.map(({ certificate, tainted }) => ({ asn1: certificate.der, tainted })),
    jwtAuthorities: bundle.jwtAuthorities.map(tokenKeyOf),
    refreshHint: bundle.refreshHintSeconds,
    sequenceNumber: bundle.sequenceNumber,
    witAuthorities: bundle.witAuthorities.map(tokenKeyOf),
  }
  if (mask === undefined || mask === null) return message
  const kept = Object.entries(message).filter(([name]) => name === 'trustDomain' || mask[name as keyof BundleMask])
  return Object.fromEntries(kept) as Partial<BundleMessage>
}

const tokenKeyOf = ({ keyId, publicKey, expiresAt, tainted }: JwtAuthority): JwtKey & WitKey => ({
  publicKey: spkiOf(publicKey),
  keyId,
  expiresAt: expiresAt === undefined ? 0 : Math.floor(expiresAt.getTime() / 1000),
  tainted,
})

/**
 * Reads a bundle of SPIRE's API, within limits that depend on whose bundle it is.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID`, `TRUST_DOMAIN_INVALID`, and what a malformed certificate throws
 */
export function bundleFromMessage(message: BundleMessage, limits: BundleLimits = OWN_BUNDLE_LIMITS): Bundle {
  const trustDomain = trustDomainFromText(message.trustDomain)
  const { x509Authorities, jwtAuthorities, witAuthorities } = message
  if (Math.max(x509Authorities.length, jwtAuthorities.length, witAuthorities.length) > limits.authorities) {
    throw invalid(trustDomain.name, `more than ${limits.authorities} authorities of one kind`)
  }
  return bundleOf({
    trustDomain,
    x509Authorities: x509Authorities.map(({ asn1, tainted }) => ({ certificate: decodeCertificate(asn1), tainted })),
    jwtAuthorities: jwtAuthorities.map((key) => jwtAuthorityOf(key, trustDomain.name)),
    witAuthorities: witAuthorities.map((key) => witAuthorityOf(key, trustDomain.name)),
    refreshHintSeconds: message.refreshHint,
    sequenceNumber: message.sequenceNumber,
  })
}

/**
 * Reads one JWT authority, as PublishJWTAuthority carries it.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID`
 */
export const jwtAuthorityOf = (key: JwtKey, trustDomain: string): JwtAuthority =>
  tokenAuthorityOf(key, 'JWT', trustDomain)

/**
 * Reads one WIT authority, as PublishWITAuthority carries it.
 *
 * @throws {@link SallyportError} `BUNDLE_INVALID`
 */
export const witAuthorityOf = (key: WitKey, trustDomain: string): WitAuthority =>
  tokenAuthorityOf(key, 'WIT', trustDomain)

function tokenAuthorityOf(key: JwtKey | WitKey, kind: 'JWT' | 'WIT', trustDomain: string): JwtAuthority {
  const expiresAt = key.expiresAt === 0 ? undefined : new Date(key.expiresAt * 1000)
  if (key.keyId === '') throw invalid(trustDomain, `a ${kind} key has no id`)
  // No token that names a longer one is accepted by anybody.
  if (key.keyId.length > KEY_ID_MAX)
    throw invalid(trustDomain, `the id of a ${kind} key is longer than ${KEY_ID_MAX} characters`)
  if (Number.isNaN(expiresAt?.getTime())) throw invalid(trustDomain, `the end of a ${kind} key is no instant`)
  const publicKey = publicKeyOf(key.publicKey, kind, trustDomain)
  return { keyId: key.keyId, publicKey, expiresAt, tainted: key.tainted }
}

function publicKeyOf(spki: Buffer, kind: 'JWT' | 'WIT', trustDomain: string): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (error) {
    throw new SallyportError('BUNDLE_INVALID', `Cannot read the bundle of ${trustDomain}: a ${kind} key is damaged`, {
      cause: error,
    })
  }
}

function invalid(trustDomain: string, why: string): SallyportError {
  return new SallyportError('BUNDLE_INVALID', `Cannot read the bundle of ${trustDomain}: ${why}`)
}
