import { randomBytes } from 'node:crypto'
import type { TrustDomain } from '../id/trust-domain.ts'
import type { KeyPair } from '../key/cryptography.ts'
import type { KeyType } from '../key/key-type.ts'
import type { Certificate, KeyUsage } from '../x509/certificate.ts'
import type { CertificateFields } from '../x509/encode-certificate.ts'
import {
  encodeAlternativeNames,
  encodeAuthorityKeyId,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectKeyId,
} from '../x509/encode-extensions.ts'
import { encodeName, isEmptyName, type Name } from '../x509/name.ts'
import { spkiOf, subjectKeyIdOf } from '../x509/spki.ts'

/** A certificate of a test says what the test wants, whether that is allowed or not. */
export interface TestCertificateOptions {
  readonly keyType?: KeyType
  /** Default: a new one. */
  readonly keyPair?: KeyPair
  readonly subject?: Name
  readonly serialNumber?: bigint
  readonly notBefore?: Date
  readonly notAfter?: Date
  readonly uriSans?: readonly string[]
  readonly dnsSans?: readonly string[]
  readonly isCa?: boolean
  readonly pathLength?: number
  /** `undefined`: no such extension. */
  readonly keyUsage?: readonly KeyUsage[] | undefined
  readonly extendedKeyUsage?: readonly ('serverAuth' | 'clientAuth')[] | undefined
  readonly basicConstraints?: boolean
  /** Encoded ones, appended. */
  readonly extensions?: readonly Buffer[]
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** What the certificate of an authority says unless the test says otherwise. */
export function caOptions(trustDomain: TrustDomain, options: TestCertificateOptions): TestCertificateOptions {
  return {
    subject: { country: 'US', organization: 'Test', commonName: randomBytes(8).toString('hex') },
    uriSans: [trustDomain.idString],
    isCa: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: undefined,
    ...options,
  }
}

/** The fields of a certificate; without an issuer it is its own. */
export function certificateFields(
  options: TestCertificateOptions,
  keyPair: KeyPair,
  now: Date,
  issuer?: Certificate,
): CertificateFields {
  const spki = spkiOf(keyPair.publicKey)
  const subject = encodeName(options.subject ?? {})
  return {
    serialNumber: options.serialNumber ?? BigInt(`0x40${randomBytes(15).toString('hex')}`),
    issuer: issuer?.subject ?? subject,
    notBefore: options.notBefore ?? new Date(now.getTime() - (issuer === undefined ? DAY_MS : MINUTE_MS)),
    notAfter: options.notAfter ?? new Date(now.getTime() + (options.isCa === true ? 7 * DAY_MS : 60 * MINUTE_MS)),
    subject,
    spki,
    extensions: extensionsOf(options, spki, isEmptyName(subject), issuer),
  }
}

function extensionsOf(
  options: TestCertificateOptions,
  spki: Buffer,
  isSubjectEmpty: boolean,
  issuer: Certificate | undefined,
): Buffer[] {
  const { uriSans = [], dnsSans = [], isCa = false, pathLength, basicConstraints = true, extensions = [] } = options
  const keyUsage = 'keyUsage' in options ? options.keyUsage : (['digitalSignature'] as const)
  const purposes = 'extendedKeyUsage' in options ? options.extendedKeyUsage : (['serverAuth', 'clientAuth'] as const)
  const hasNames = uriSans.length + dnsSans.length > 0
  const keyId = subjectKeyIdOf(spki)
  return [
    ...(keyUsage === undefined ? [] : [encodeKeyUsage(keyUsage)]),
    ...(purposes === undefined ? [] : [encodeExtendedKeyUsage(purposes)]),
    ...(basicConstraints ? [encodeBasicConstraints(isCa, pathLength)] : []),
    encodeSubjectKeyId(keyId),
    encodeAuthorityKeyId(issuer?.subjectKeyId ?? keyId),
    ...(hasNames ? [encodeAlternativeNames({ uris: uriSans, dnsNames: dnsSans }, isSubjectEmpty)] : []),
    ...extensions,
  ]
}
