import { createPublicKey } from 'node:crypto'
import type { Bundle, JwtAuthority } from '../../src/bundle/bundle.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { spkiOf } from '../../src/x509/spki.ts'

interface StoredTokenKey {
  readonly keyId: string
  readonly spki: string
  readonly expiresAt?: number | undefined
  readonly tainted?: true | undefined
}

/** A bundle as JSON in the database; certificates and keys are base64 of DER. */
export interface StoredBundle {
  readonly trustDomain: string
  readonly x509Authorities: readonly { readonly der: string; readonly tainted?: true | undefined }[]
  readonly jwtAuthorities: readonly StoredTokenKey[]
  /** Absent in what was stored before there were any, and where there are none. */
  readonly witAuthorities?: readonly StoredTokenKey[] | undefined
  readonly refreshHintSeconds: number
  readonly sequenceNumber: number
}

export function storedBundleOf(bundle: Bundle): StoredBundle {
  return {
    trustDomain: bundle.trustDomain.name,
    x509Authorities: bundle.x509Authorities.map(({ certificate, tainted }) => ({
      der: certificate.der.toString('base64'),
      tainted: tainted || undefined,
    })),
    jwtAuthorities: bundle.jwtAuthorities.map(storedKeyOf),
    witAuthorities: bundle.witAuthorities.length === 0 ? undefined : bundle.witAuthorities.map(storedKeyOf),
    refreshHintSeconds: bundle.refreshHintSeconds,
    sequenceNumber: bundle.sequenceNumber,
  }
}

export function bundleOf(stored: StoredBundle): Bundle {
  return {
    trustDomain: TrustDomain.parse(stored.trustDomain),
    x509Authorities: stored.x509Authorities.map(({ der, tainted }) => ({
      certificate: decodeCertificate(Buffer.from(der, 'base64')),
      tainted: tainted ?? false,
    })),
    jwtAuthorities: stored.jwtAuthorities.map(keyOf),
    witAuthorities: (stored.witAuthorities ?? []).map(keyOf),
    refreshHintSeconds: stored.refreshHintSeconds,
    sequenceNumber: stored.sequenceNumber,
  }
}

const storedKeyOf = ({ keyId, publicKey, expiresAt, tainted }: JwtAuthority): StoredTokenKey => ({
  keyId,
  spki: spkiOf(publicKey).toString('base64'),
  expiresAt: expiresAt?.getTime(),
  tainted: tainted || undefined,
})

const keyOf = ({ keyId, spki, expiresAt, tainted }: StoredTokenKey): JwtAuthority => ({
  keyId,
  publicKey: createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' }),
  expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
  tainted: tainted ?? false,
})
