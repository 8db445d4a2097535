import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import type { CertificateTemplate } from '../../src/x509/certificate-template.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import type { CertificateIssuer } from '../../src/x509/encode-certificate.ts'
import { purposeOids } from '../../src/x509/extension-oids.ts'
import { encodeName } from '../../src/x509/name.ts'
import { subjectKeyIdOf } from '../../src/x509/spki.ts'

/**
 * Reads back what was signed and compares it with what was asked for, so that a fault in writing certificates gives none at all.
 *
 * @throws {@link SallyportError} `SIGNED_OTHERWISE`, `CERTIFICATE_INVALID`
 */
export function checkSignedAsAsked(
  der: Buffer,
  template: CertificateTemplate,
  issuer: CertificateIssuer,
  key: { readonly publicKey: KeyObject; readonly spki: Buffer },
): Certificate {
  const signed = decodeCertificate(der, key)
  const field = differenceOf(signed, template, issuer, key.spki)
  if (field === undefined) return signed
  throw new SallyportError(
    'SIGNED_OTHERWISE',
    `Cannot release the certificate for ${template.uriSan}: ${field} differs`,
  )
}

function differenceOf(
  signed: Certificate,
  template: CertificateTemplate,
  issuer: CertificateIssuer,
  spki: Buffer,
): string | undefined {
  const subject = Buffer.isBuffer(template.subject) ? template.subject : encodeName(template.subject)
  if (signed.serialNumber !== template.serialNumber) return 'its serial number'
  if (!signed.issuer.equals(issuer.subject)) return 'its issuer'
  if (!signed.subject.equals(subject)) return 'its subject'
  if (signed.notBefore.getTime() !== template.notBefore.getTime()) return 'its start'
  if (signed.notAfter.getTime() !== template.notAfter.getTime()) return 'its end'
  if (!signed.spki.equals(spki)) return 'its key'
  if (!isSame(signed.uriSans, [template.uriSan])) return 'its id'
  if (!isSame(signed.dnsSans, template.dnsSans)) return 'its DNS names'
  if (signed.isCa !== template.isCa || !signed.basicConstraintsPresent) return 'its basic constraints'
  if (signed.pathLength !== template.pathLength) return 'its path length'
  const { keyUsage } = signed
  if (keyUsage?.size !== template.keyUsage.length || !template.keyUsage.every((usage) => keyUsage.has(usage))) {
    return 'its key usage'
  }
  const purposes = template.extendedKeyUsage.map((purpose) => purposeOids[purpose])
  if (!isSame(signed.extendedKeyUsage ?? [], purposes)) return 'its extended key usage'
  if (signed.subjectKeyId?.equals(subjectKeyIdOf(spki)) !== true) return 'its key id'
  if (signed.authorityKeyId?.equals(issuer.subjectKeyId) !== true) return 'its authority'
  return signed.unknownCriticalExtensions.length === 0 ? undefined : 'its set of extensions'
}

const isSame = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index])
