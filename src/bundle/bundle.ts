import type { KeyObject } from 'node:crypto'
import type { TrustDomain } from '../id/trust-domain.ts'
import type { Certificate } from '../x509/certificate.ts'

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

/** What a trust domain publishes so that others can verify its SVIDs. Immutable: a change makes a new one with a higher sequence. */
export interface Bundle {
  readonly trustDomain: TrustDomain
  readonly x509Authorities: readonly X509Authority[]
  readonly jwtAuthorities: readonly JwtAuthority[]
  /** Seconds until a reader should look again; 0: unspecified. */
  readonly refreshHintSeconds: number
  readonly sequenceNumber: number
}
