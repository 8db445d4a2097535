import type { Signer } from '../key/cryptography.ts'
import { algorithmOf } from '../key/signature-algorithm.ts'
import { encodeAlgorithm } from './algorithm-identifier.ts'
import { type CertificateTemplate, checkTemplate } from './certificate-template.ts'
import { bitString, integer, sequence, tagged } from './der-writer.ts'
import {
  encodeAlternativeNames,
  encodeAuthorityKeyId,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectKeyId,
} from './encode-extensions.ts'
import { encodeName, isEmptyName } from './name.ts'
import { spkiOf, subjectKeyIdOf } from './spki.ts'
import { encodeTime } from './time.ts'

/** Who signs: the subject and key id of the CA certificate, byte for byte. A {@link Certificate} with a key id fits. */
export interface CertificateIssuer {
  readonly subject: Buffer
  readonly subjectKeyId: Buffer
}

/**
 * Makes and signs the certificate that a template describes. Everything in it comes from the template.
 *
 * @returns DER
 * @throws {@link SallyportError} `TEMPLATE_INVALID` when no X509-SVID may look like this
 */
export async function encodeCertificate(
  template: CertificateTemplate,
  issuerSigner: Signer,
  issuer: CertificateIssuer,
): Promise<Buffer> {
  checkTemplate(template)
  return signCertificate(fieldsOf(template, issuer), issuerSigner)
}

/** The parts of a certificate, encoded; what they say is not checked. */
export interface CertificateFields {
  readonly serialNumber: bigint
  readonly issuer: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly subject: Buffer
  readonly spki: Buffer
  readonly extensions: readonly Buffer[]
}

/** Encodes and signs any certificate: for authorities and for tests; SVIDs go through {@link encodeCertificate}. */
export async function signCertificate(fields: CertificateFields, signer: Signer): Promise<Buffer> {
  const algorithm = algorithmOf(signer.keyType)
  const tbs = encodeTbs(fields, encodeAlgorithm(algorithm))
  const signature = await signer.sign(algorithm, tbs, 'der')
  return sequence(tbs, encodeAlgorithm(algorithm), bitString(signature))
}

const VERSION_3 = tagged(0, integer(2n))

/** The bytes that are signed, with the AlgorithmIdentifier that says how. */
export function encodeTbs(fields: CertificateFields, algorithm: Buffer): Buffer {
  return sequence(
    VERSION_3,
    integer(fields.serialNumber),
    algorithm,
    fields.issuer,
    sequence(encodeTime(fields.notBefore), encodeTime(fields.notAfter)),
    fields.subject,
    fields.spki,
    tagged(3, sequence(...fields.extensions)),
  )
}

function fieldsOf(template: CertificateTemplate, issuer: CertificateIssuer): CertificateFields {
  const spki = Buffer.isBuffer(template.publicKey) ? template.publicKey : spkiOf(template.publicKey)
  const subject = Buffer.isBuffer(template.subject) ? template.subject : encodeName(template.subject)
  const { keyUsage, extendedKeyUsage, isCa, pathLength, uriSan, dnsSans } = template
  return {
    serialNumber: template.serialNumber,
    issuer: issuer.subject,
    notBefore: template.notBefore,
    notAfter: template.notAfter,
    subject,
    spki,
    extensions: [
      encodeKeyUsage(keyUsage),
      ...(extendedKeyUsage.length === 0 ? [] : [encodeExtendedKeyUsage(extendedKeyUsage)]),
      encodeBasicConstraints(isCa, pathLength),
      encodeSubjectKeyId(subjectKeyIdOf(spki)),
      encodeAuthorityKeyId(issuer.subjectKeyId),
      encodeAlternativeNames({ uris: [uriSan], dnsNames: dnsSans }, isEmptyName(subject)),
    ],
  }
}
