import type { SignatureAlgorithm, Signer } from '../../src/key/cryptography.ts'
import { algorithmOf } from '../../src/key/signature-algorithm.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import type { CertificateIssuer } from '../../src/x509/encode-certificate.ts'
import type { AuthorityRow } from '../store/store.ts'

/** The authority that signs X509-SVIDs now. */
export interface ActiveX509Authority {
  /** Subject key id of its certificate, hex. */
  readonly authorityId: string
  readonly certificate: Certificate
  /** What leaves put as their issuer. */
  readonly issuer: CertificateIssuer
  /** Certificates between a leaf and the root in the bundle: none while authorities sign themselves. */
  readonly intermediates: readonly Buffer[]
  readonly signer: Signer
  readonly notBefore: Date
  readonly notAfter: Date
}

/** The authority that signs JWT-SVIDs now. */
export interface ActiveJwtAuthority {
  /** The `kid`. */
  readonly authorityId: string
  readonly signer: Signer
  readonly algorithm: SignatureAlgorithm
  readonly notBefore: Date
  readonly notAfter: Date
}

/** How an authority stands, for people. */
export interface AuthorityStatus {
  readonly kind: AuthorityRow['kind']
  readonly authorityId: string
  readonly state: AuthorityRow['state']
  readonly notBefore: Date
  readonly notAfter: Date
  readonly tainted: boolean
  readonly keyType: string
  /** What its next step waits for, as a phrase after "waits for"; empty when for nothing. */
  readonly waitingFor: string
  /** The agents among that. */
  readonly missingAgents: readonly string[]
}

/** The algorithm of a JWT key: RS256 or PS256 as configured for RSA, else what the key's type allows. */
export function jwtAlgorithmFor(signer: Signer, wanted: SignatureAlgorithm | undefined): SignatureAlgorithm {
  const usual = algorithmOf(signer.keyType)
  return usual === 'RS256' && wanted === 'PS256' ? 'PS256' : usual
}
