import type { ErrorCode } from '../errors.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import { signCertificate } from '../x509/encode-certificate.ts'
import { encodeExtension } from '../x509/encode-extensions.ts'
import { NULL } from '../x509/der-writer.ts'
import { TestAuthority, type TestSvid } from './test-authority.ts'

/** One way to break an X509-SVID. */
export interface BadSvidRow {
  /** The rule that it breaks. */
  readonly rule: string
  /** The code of path validation; undefined where the path is good and only the SPIFFE rules are broken. */
  readonly chainCode: ErrorCode | undefined
  /** Refused as an X509-SVID before its path is looked at. */
  readonly isRefusedBefore?: boolean
  issue(authority: TestAuthority): Promise<TestSvid>
}

const HOUR_MS = 3_600_000
/** A private arc that nobody processes. */
const UNKNOWN_EXTENSION = '1.3.6.1.4.1.55555.1'

const around = ({ now }: TestAuthority, hours: number): Date => new Date(now.getTime() + hours * HOUR_MS)
const idOf = ({ trustDomain }: TestAuthority, path: string): string => `${trustDomain.idString}${path}`

const rows = {
  expired: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_EXPIRED',
    issue: (by) => by.issue('/workload', { notBefore: around(by, -2), notAfter: around(by, -1) }),
  },
  notYetValid: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_EXPIRED',
    issue: (by) => by.issue('/workload', { notBefore: around(by, 1), notAfter: around(by, 2) }),
  },
  caLeaf: { rule: 'X5-28', chainCode: undefined, issue: (by) => by.issue('/workload', { isCa: true }) },
  keyCertSignLeaf: {
    rule: 'X5-28',
    chainCode: undefined,
    issue: (by) => by.issue('/workload', { keyUsage: ['digitalSignature', 'keyCertSign'] }),
  },
  cRLSignLeaf: {
    rule: 'X5-28',
    chainCode: undefined,
    issue: (by) => by.issue('/workload', { keyUsage: ['digitalSignature', 'cRLSign'] }),
  },
  missingKeyUsage: {
    rule: 'X5-32',
    chainCode: undefined,
    issue: (by) => by.issue('/workload', { keyUsage: undefined }),
  },
  withoutDigitalSignature: {
    rule: 'X5-32',
    chainCode: undefined,
    issue: (by) => by.issue('/workload', { keyUsage: ['keyAgreement'] }),
  },
  twoUriSans: {
    rule: 'X5-02',
    chainCode: undefined,
    issue: (by) => by.issue('/a', { uriSans: [idOf(by, '/a'), idOf(by, '/b')] }),
  },
  secondUriIsNotSpiffe: {
    rule: 'X5-02',
    chainCode: undefined,
    issue: (by) => by.issue('/a', { uriSans: [idOf(by, '/a'), 'https://example.org/a'] }),
  },
  httpsUri: {
    rule: 'X5-28',
    chainCode: undefined,
    issue: (by) => by.issue('/a', { uriSans: ['https://example.org/a'] }),
  },
  dnsOnly: {
    rule: 'X5-02',
    chainCode: undefined,
    issue: (by) => by.issue('/a', { uriSans: [], dnsSans: ['a.example.org'] }),
  },
  noSan: {
    rule: 'X5-02',
    chainCode: undefined,
    issue: (by) => by.issue('/a', { uriSans: [], subject: { commonName: 'nobody' } }),
  },
  trustDomainId: { rule: 'X5-28', chainCode: undefined, issue: (by) => by.issue('') },
  rootPath: { rule: 'X5-28', chainCode: undefined, issue: (by) => by.issue('/') },
  unknownCriticalExtension: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_INVALID',
    issue: (by) => by.issue('/workload', { extensions: [encodeExtension(UNKNOWN_EXTENSION, true, NULL)] }),
  },
  /** Our id, signed by the authority of another trust domain. */
  foreign: {
    rule: 'X5-30',
    chainCode: 'CERTIFICATE_UNTRUSTED',
    issue: async (by) => {
      const other = await TestAuthority.create({ trustDomain: 'other.test', now: by.now })
      return other.issue('/workload', { uriSans: [idOf(by, '/workload')] })
    },
  },
  /** An authority that calls itself by our authority's name, with a key of its own. */
  forged: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_UNTRUSTED',
    issue: async (by) => {
      const thief = await TestAuthority.create({ trustDomain: by.trustDomain.name, now: by.now })
      const good = await by.issue()
      const fields = by.fields({ uriSans: [idOf(by, '/workload')] }, good.keyPair)
      const certificate = decodeCertificate(await signCertificate(fields, thief.signer))
      return { ...good, certificate, chain: [certificate] }
    },
  },
  expiredIntermediate: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_EXPIRED',
    issue: async (by) => (await by.intermediate({ notBefore: around(by, -2), notAfter: around(by, -1) })).issue(),
  },
  intermediateWithoutKeyCertSign: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_INVALID',
    issue: async (by) => (await by.intermediate({ keyUsage: ['cRLSign'] })).issue(),
  },
  intermediateIsNotCa: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_INVALID',
    issue: async (by) => (await by.intermediate({ isCa: false })).issue(),
  },
  intermediateWithoutBasicConstraints: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_INVALID',
    issue: async (by) => (await by.intermediate({ basicConstraints: false })).issue(),
  },
  pathLengthExceeded: {
    rule: 'X5-08',
    chainCode: 'CERTIFICATE_INVALID',
    issue: async (by) => (await (await by.intermediate({ pathLength: 0 })).intermediate()).issue(),
  },
  missingIntermediate: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_UNTRUSTED',
    issue: async (by) => {
      const svid = await (await by.intermediate()).issue()
      return { ...svid, chain: [svid.certificate] }
    },
  },
  /** A leaf that signs another leaf. */
  signedByLeaf: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_INVALID',
    issue: async (by) =>
      (await by.intermediate({ isCa: false, keyUsage: ['digitalSignature'], uriSans: [idOf(by, '/thief')] })).issue(),
  },
  /** The peer brings its own root. */
  ownRootInChain: {
    rule: 'X5-35',
    chainCode: 'CERTIFICATE_UNTRUSTED',
    issue: async (by) => {
      const own = await TestAuthority.create({ trustDomain: by.trustDomain.name, now: by.now })
      const svid = await own.issue()
      return { ...svid, chain: [svid.certificate, own.certificate] }
    },
  },
  /** A leaf that nobody but itself vouches for. */
  selfSigned: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_UNTRUSTED',
    issue: async (by) => {
      const self = await TestAuthority.create({
        trustDomain: by.trustDomain.name,
        now: by.now,
        // An issuer without name would be a second thing wrong.
        subject: { commonName: 'workload' },
        uriSans: [idOf(by, '/workload')],
        isCa: false,
        keyUsage: ['digitalSignature'],
        extendedKeyUsage: ['serverAuth', 'clientAuth'],
      })
      return { certificate: self.certificate, chain: [self.certificate], keyPair: self.keyPair }
    },
  },
  /** The intermediates are there, in the wrong order. */
  chainOutOfOrder: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_UNTRUSTED',
    issue: async (by) => {
      const svid = await (await (await by.intermediate()).intermediate()).issue()
      const [leaf, ...intermediates] = svid.chain
      return { ...svid, chain: [leaf, ...intermediates.toReversed()] }
    },
  },
  /** Every certificate is good; there are thirty of them. */
  thirtyCertificates: {
    rule: 'X5-29',
    chainCode: 'CERTIFICATE_INVALID',
    isRefusedBefore: true,
    issue: async (by) => {
      let authority = by
      while (authority.intermediates.length < 29) authority = await authority.intermediate()
      return authority.issue()
    },
  },
} as const satisfies Record<string, BadSvidRow>

/** What can be wrong with an X509-SVID, by name. */
export type BadSvid = keyof typeof rows

/** X509-SVIDs with exactly one thing wrong, by name. Add a row rather than building one in a test. */
export const badSvids: Readonly<Record<BadSvid, BadSvidRow>> = rows

/** Every name that {@link issueBad} knows. */
export const badSvidNames: readonly BadSvid[] = Object.keys(badSvids) as BadSvid[]

/**
 * An X509-SVID of this authority, or pretending to be, with exactly one thing wrong: a verifier must refuse it.
 *
 * @example
 * ```ts
 * const authority = await TestAuthority.create()
 * for (const name of badSvidNames) {
 *   const { chain, keyPair } = await issueBad(authority, name)
 * }
 * ```
 */
export function issueBad(authority: TestAuthority, name: BadSvid): Promise<TestSvid> {
  return badSvids[name].issue(authority)
}
