import { SallyportError } from '../../src/errors.ts'
import type { SignatureAlgorithm, Signer } from '../../src/key/cryptography.ts'
import { algorithmOf } from '../../src/key/signature-algorithm.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import type { CertificateIssuer } from '../../src/x509/encode-certificate.ts'
import { subjectKeyIdOf } from '../../src/x509/spki.ts'
import type { AuthorityRow } from '../store/store.ts'
import { publicDerOf } from './own-bundle.ts'
import { isValidAt } from './rotation.ts'

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

/** The authority that signs tokens of one kind now: JWT-SVIDs or WIT-SVIDs. */
export interface ActiveTokenAuthority {
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

/**
 * The authority, when it may sign now.
 *
 * @throws {@link SallyportError} `NOT_READY` when there is none, `AUTHORITY_EXPIRED` when it is not valid now
 */
export function checkValid<T extends ActiveTokenAuthority | ActiveX509Authority>(
  active: T | undefined,
  now: Date,
  what: string,
): T {
  if (active === undefined) throw new SallyportError('NOT_READY', `Cannot sign ${what}: no authority is published yet`)
  if (isValidAt(active, now)) return active
  const life = `from ${active.notBefore.toISOString()} to ${active.notAfter.toISOString()}`
  throw new SallyportError('AUTHORITY_EXPIRED', `Cannot sign ${what}: authority ${active.authorityId} is valid ${life}`)
}

export function activeX509Of(row: AuthorityRow, signer: Signer): ActiveX509Authority {
  const { authorityId, notBefore, notAfter, publicDer } = row
  const certificate = decodeCertificate(publicDerOf(row))
  const subjectKeyId = certificate.subjectKeyId ?? subjectKeyIdOf(certificate.spki)
  const issuer = { subject: certificate.subject, subjectKeyId }
  return { authorityId, certificate, issuer, intermediates: publicDer.slice(1), signer, notBefore, notAfter }
}

export function activeTokenAuthorityOf(
  { authorityId, notBefore, notAfter }: AuthorityRow,
  signer: Signer,
  wanted: SignatureAlgorithm | undefined,
): ActiveTokenAuthority {
  const usual = algorithmOf(signer.keyType)
  const algorithm = usual === 'RS256' && wanted === 'PS256' ? 'PS256' : usual
  return { authorityId, signer, algorithm, notBefore, notAfter }
}
