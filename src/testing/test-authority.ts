import { type Bundle, bundleOf } from '../bundle/bundle.ts'
import { TrustDomain } from '../id/trust-domain.ts'
import { jwkOf } from '../jws/jwk.ts'
import { signJws } from '../jws/sign-jws.ts'
import type { KeyPair, Signer } from '../key/cryptography.ts'
import { algorithmOf } from '../key/signature-algorithm.ts'
import { signerOf } from '../key/signer.ts'
import { threadPoolCryptography as cryptography } from '../key/thread-pool-cryptography.ts'
import type { Certificate } from '../x509/certificate.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import { type CertificateFields, signCertificate } from '../x509/encode-certificate.ts'
import { subjectKeyIdOf, spkiOf } from '../x509/spki.ts'
import { parseWitSvid, type WitSvidWithKey } from '../wit/wit-svid.ts'
import { caOptions, certificateFields, type TestCertificateOptions } from './test-certificate.ts'

/** What a test authority is made of; what is left out is that of a good one. */
export interface TestAuthorityOptions extends TestCertificateOptions {
  /** Default: `example.org`. */
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

/** A token as the test wants it. */
export interface TestJwtOptions {
  readonly audience: string | readonly string[]
  /** Default: `/workload`. */
  readonly path?: string
  readonly issuedAt?: Date
  /** Default: five minutes after the authority's now. */
  readonly expiresAt?: Date
  /** Further claims, which may replace those above. */
  readonly claims?: Readonly<Record<string, unknown>>
}

/** A WIT-SVID as the test wants it. */
export interface TestWitOptions {
  /** The key that it speaks for. Default: a new one. */
  readonly keyPair?: KeyPair
  /** Default: an hour after the authority's now. */
  readonly expiresAt?: Date
  readonly hint?: string
  /** Further claims, which may replace its own. */
  readonly claims?: Readonly<Record<string, unknown>>
}

const JWT_LIFE_MS = 5 * 60_000
const WIT_LIFE_MS = 3_600_000

/**
 * An authority of a trust domain for tests: its X509-SVIDs and WIT-SVIDs live an hour, its JWT-SVIDs five minutes.
 * {@link issueBad} issues those that a verifier must refuse.
 *
 * @example
 * ```ts
 * const authority = await TestAuthority.create({ trustDomain: 'example.org' })
 * const orders = await authority.issue('/ns/shop/sa/orders')
 * ```
 */
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

  /** Makes a self-signed authority with a key of its own. */
  static async create(options: TestAuthorityOptions = {}): Promise<TestAuthority> {
    const trustDomain = TrustDomain.parse(options.trustDomain ?? 'example.org')
    const now = options.now ?? new Date()
    const keyPair = options.keyPair ?? (await cryptography.generateKeyPair(options.keyType ?? 'ec-p256'))
    const fields = certificateFields(caOptions(trustDomain, options), keyPair, now)
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

  /** A good JWT-SVID, apart from what the options change. It verifies with a bundle that has {@link jwtAuthority}. */
  async issueJwt({ audience, path = '/workload', issuedAt, expiresAt, claims }: TestJwtOptions): Promise<string> {
    const seconds = (instant: Date): number => Math.floor(instant.getTime() / 1000)
    const payload = {
      sub: `${this.trustDomain.idString}${path}`,
      aud: typeof audience === 'string' ? [audience] : audience,
      iat: seconds(issuedAt ?? this.now),
      exp: seconds(expiresAt ?? new Date(this.now.getTime() + JWT_LIFE_MS)),
      ...claims,
    }
    return signJws({ kid: this.jwtAuthority.keyId, typ: 'JWT' }, payload, this.signer, algorithmOf(this.keyPair.type))
  }

  /** A good WIT-SVID with its key, apart from what the options change. It verifies with a bundle that has {@link witAuthority}. */
  async issueWit(path = '/workload', options: TestWitOptions = {}): Promise<WitSvidWithKey> {
    const { expiresAt = new Date(this.now.getTime() + WIT_LIFE_MS), hint, claims } = options
    const { type, publicKey, privateKey } = options.keyPair ?? (await cryptography.generateKeyPair('ec-p256'))
    const payload = {
      sub: `${this.trustDomain.idString}${path}`,
      iat: Math.floor(this.now.getTime() / 1000),
      exp: Math.floor(expiresAt.getTime() / 1000),
      cnf: { jwk: { ...jwkOf(publicKey), alg: algorithmOf(type) } },
      ...claims,
    }
    const header = { kid: this.witAuthority.keyId, typ: 'wit+jwt' } as const
    const token = await signJws(header, payload, this.signer, algorithmOf(this.keyPair.type))
    return { ...parseWitSvid(token, hint), privateKey }
  }

  /** The key that its JWT-SVIDs are verified with. */
  get jwtAuthority(): Bundle['jwtAuthorities'][number] {
    const { publicKey } = this.keyPair
    const keyId = subjectKeyIdOf(spkiOf(publicKey)).toString('hex')
    return { keyId, publicKey, expiresAt: undefined, tainted: false }
  }

  /** The key that its WIT-SVIDs are verified with: the same under another name, as no authority but one of tests has it. */
  get witAuthority(): Bundle['witAuthorities'][number] {
    return { ...this.jwtAuthority, keyId: `wit-${this.jwtAuthority.keyId}` }
  }

  /** Signs a certificate of any kind. */
  async sign(options: TestCertificateOptions, keyPair: KeyPair): Promise<Certificate> {
    return decodeCertificate(await signCertificate(this.fields(options, keyPair), this.signer))
  }

  /** The fields that {@link sign} would sign, for tests that change them further. */
  fields(options: TestCertificateOptions, keyPair: KeyPair): CertificateFields {
    return certificateFields(options, keyPair, this.now, this.certificate)
  }

  /** A bundle of X.509 authorities: this one alone, or these. */
  bundle(...authorities: readonly TestAuthority[]): Bundle {
    const all = authorities.length === 0 ? [this] : authorities
    return bundleOf({
      trustDomain: this.trustDomain,
      x509Authorities: all.map(({ certificate }) => ({ certificate, tainted: false })),
      sequenceNumber: 1,
    })
  }

  /** {@link bundle} with the keys of tokens. */
  bundleWithJwt(...authorities: readonly TestAuthority[]): Bundle {
    const all = authorities.length === 0 ? [this] : authorities
    return { ...this.bundle(...authorities), jwtAuthorities: all.map(({ jwtAuthority }) => jwtAuthority) }
  }

  /** A bundle of the keys of WIT-SVIDs alone, as the Workload API has it. */
  bundleWithWit(...authorities: readonly TestAuthority[]): Bundle {
    const all = authorities.length === 0 ? [this] : authorities
    return bundleOf({
      trustDomain: this.trustDomain,
      witAuthorities: all.map(({ witAuthority }) => witAuthority),
      sequenceNumber: 1,
    })
  }
}
