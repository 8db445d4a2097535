import { randomBytes } from 'node:crypto'
import type { Bundle } from '../../src/bundle/bundle.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'
import type { KeyPair, Signer } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import { signerOf } from '../../src/key/signer.ts'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import type { Certificate, KeyUsage } from '../../src/x509/certificate.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { type CertificateFields, signCertificate } from '../../src/x509/encode-certificate.ts'
import {
  encodeAlternativeNames,
  encodeAuthorityKeyId,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectKeyId,
} from '../../src/x509/encode-extensions.ts'
import { encodeName, isEmptyName, type Name } from '../../src/x509/name.ts'
import { spkiOf, subjectKeyIdOf } from '../../src/x509/spki.ts'

/** A certificate of a test says what the test wants, whether that is allowed or not. */
export interface TestCertificateOptions {
  readonly keyType?: KeyType
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

export interface TestAuthorityOptions extends TestCertificateOptions {
  readonly trustDomain?: string
  /** The moment around which its certificates are valid. Default: now. */
  readonly now?: Date
}

/** A leaf with its key; `chain` has the leaf first and no root. */
export interface TestSvid {
  readonly certificate: Certificate
  readonly chain: readonly [Certificate, ...Certificate[]]
  readonly keyPair: KeyPair
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** An authority of a trust domain for tests. Bad SVIDs by name: `bad-svids.ts`. */
export class TestAuthority {
  readonly trustDomain: TrustDomain
  readonly certificate: Certificate
  readonly keyPair: KeyPair
  readonly signer: Signer
  readonly now: Date
  /** The intermediates from this authority up, without the root. */
  readonly intermediates: readonly Certificate[]

  private constructor(parts: {
    trustDomain: TrustDomain
    certificate: Certificate
    keyPair: KeyPair
    now: Date
    intermediates: readonly Certificate[]
  }) {
    this.trustDomain = parts.trustDomain
    this.certificate = parts.certificate
    this.keyPair = parts.keyPair
    this.signer = signerOf(parts.keyPair, cryptography)
    this.now = parts.now
    this.intermediates = parts.intermediates
  }

  static async create(options: TestAuthorityOptions = {}): Promise<TestAuthority> {
    const trustDomain = TrustDomain.parse(options.trustDomain ?? 'example.org')
    const now = options.now ?? new Date()
    const keyPair = options.keyPair ?? (await cryptography.generateKeyPair(options.keyType ?? 'ec-p256'))
    const fields = fieldsOf(caOptions(trustDomain, options), keyPair, now)
    const certificate = decodeCertificate(await signCertificate(fields, signerOf(keyPair, cryptography)))
    return new TestAuthority({ trustDomain, certificate, keyPair, now, intermediates: [] })
  }

  /** An authority below this one; its SVIDs carry its certificate. */
  async intermediate(options: TestCertificateOptions = {}): Promise<TestAuthority> {
    const { trustDomain, now } = this
    const keyPair = options.keyPair ?? (await cryptography.generateKeyPair(options.keyType ?? 'ec-p256'))
    const certificate = await this.sign(caOptions(trustDomain, options), keyPair)
    const intermediates = [certificate, ...this.intermediates]
    return new TestAuthority({ trustDomain, certificate, keyPair, now, intermediates })
  }

  /** A good X509-SVID, apart from what the options change. */
  async issue(path = '/workload', options: TestCertificateOptions = {}): Promise<TestSvid> {
    const keyPair = options.keyPair ?? (await cryptography.generateKeyPair(options.keyType ?? 'ec-p256'))
    const certificate = await this.sign({ uriSans: [`${this.trustDomain.idString}${path}`], ...options }, keyPair)
    return { certificate, chain: [certificate, ...this.intermediates], keyPair }
  }

  /** Signs a certificate of any kind. */
  async sign(options: TestCertificateOptions, keyPair: KeyPair): Promise<Certificate> {
    return decodeCertificate(await signCertificate(this.fields(options, keyPair), this.signer))
  }

  /** The fields that {@link sign} would sign, for tests that change them further. */
  fields(options: TestCertificateOptions, keyPair: KeyPair): CertificateFields {
    return fieldsOf(options, keyPair, this.now, this.certificate)
  }

  /** A bundle with this authority alone, or with these. */
  bundle(...authorities: readonly TestAuthority[]): Bundle {
    const all = authorities.length === 0 ? [this] : authorities
    return {
      trustDomain: this.trustDomain,
      x509Authorities: all.map(({ certificate }) => ({ certificate, tainted: false })),
      jwtAuthorities: [],
      refreshHintSeconds: 0,
      sequenceNumber: 1,
    }
  }
}

function caOptions(trustDomain: TrustDomain, options: TestCertificateOptions): TestCertificateOptions {
  return {
    subject: { country: 'US', organization: 'Test', commonName: randomBytes(8).toString('hex') },
    uriSans: [trustDomain.idString],
    isCa: true,
    keyUsage: ['keyCertSign', 'cRLSign'],
    extendedKeyUsage: undefined,
    ...options,
  }
}

function fieldsOf(
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
