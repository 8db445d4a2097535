import type { ErrorCode } from '../../src/errors.ts'
import { type BadSvid, issueBad } from '../../src/testing/bad-svids.ts'
import { TestAuthority, type TestSvid } from '../../src/testing/test-authority.ts'

/** Who signs in the table: a trust domain, one that it is federated with, and one that nobody has heard of. */
export interface Signers {
  readonly home: TestAuthority
  readonly partner: TestAuthority
  readonly unheard: TestAuthority
}

export const signers = async (): Promise<Signers> => ({
  home: await TestAuthority.create(),
  partner: await TestAuthority.create({ trustDomain: 'partner.test' }),
  unheard: await TestAuthority.create({ trustDomain: 'unheard.test' }),
})

/** Libraries that others wrote. */
export type Foreigner = 'go' | 'python' | 'java' | 'openssl'

/** Something that is presented where an id is wanted. */
export interface TlsRow {
  readonly name: string
  /** Where the row is not about the id, it has the one that is wanted. */
  readonly wanted: string
  issue(signers: Signers): Promise<TestSvid>
  /** Why we refuse it: the code, and words of the message. Undefined: it is the right one. */
  readonly refusal: readonly [code: ErrorCode, words: string] | undefined
  /** Foreigners that take it all the same, with the reason. */
  readonly tolerated?: Partial<Record<Foreigner, string>>
}

const NO_SPIFFE = 'knows nothing of SPIFFE'
const web = 'spiffe://example.org/web'

const bad = (
  name: BadSvid,
  refusal: TlsRow['refusal'],
  { wanted = 'spiffe://example.org/workload', tolerated = {} }: Partial<TlsRow> = {},
): TlsRow => ({ name, wanted, issue: ({ home }) => issueBad(home, name), refusal, tolerated })

/** Everything that a proof of identity can have wrong, each alone. */
export const tlsRows: readonly TlsRow[] = [
  { name: 'the right id', wanted: web, issue: ({ home }) => home.issue('/web'), refusal: undefined },
  {
    name: 'the right id below an intermediate',
    wanted: web,
    issue: async ({ home }) => (await home.intermediate()).issue('/web'),
    refusal: undefined,
  },
  {
    name: 'wrong id',
    wanted: web,
    issue: ({ home }) => home.issue('/other'),
    refusal: ['PEER_REFUSED', 'example.org/other'],
    tolerated: { openssl: NO_SPIFFE },
  },
  {
    name: 'wrong trust domain',
    wanted: web,
    issue: ({ partner }) => partner.issue('/web'),
    refusal: ['PEER_REFUSED', 'partner.test/web'],
    tolerated: { openssl: NO_SPIFFE },
  },
  {
    name: 'a trust domain without bundle',
    wanted: 'spiffe://unheard.test/web',
    issue: ({ unheard }) => unheard.issue('/web'),
    refusal: ['BUNDLE_UNKNOWN', 'unheard.test'],
  },
  bad('foreign', ['CERTIFICATE_UNTRUSTED', 'does not lead to an authority of its trust domain']),
  bad('expired', ['CERTIFICATE_EXPIRED', 'certificate 1 expired at']),
  bad('notYetValid', ['CERTIFICATE_EXPIRED', 'certificate 1 is not valid before']),
  bad('caLeaf', ['X509_SVID_INVALID', 'a signing certificate identifies nobody'], {
    tolerated: { python: 'leaves the leaf to OpenSSL', java: 'looks at the path alone', openssl: NO_SPIFFE },
  }),
  bad('twoUriSans', ['X509_SVID_INVALID', '2 URI SANs'], {
    wanted: 'spiffe://example.org/a',
    tolerated: { openssl: NO_SPIFFE },
  }),
  bad('missingKeyUsage', ['X509_SVID_INVALID', 'no keyUsage'], {
    tolerated: {
      go: 'looks at the bits that must not be set',
      python: 'leaves the leaf to OpenSSL',
      java: 'looks at the path alone',
      openssl: NO_SPIFFE,
    },
  }),
  bad('pathLengthExceeded', ['CERTIFICATE_INVALID', 'allows a path length of 0']),
  bad('unknownCriticalExtension', ['CERTIFICATE_INVALID', 'is not understood']),
  bad('selfSigned', ['CERTIFICATE_UNTRUSTED', 'does not lead to an authority of its trust domain']),
  bad('chainOutOfOrder', ['CERTIFICATE_UNTRUSTED', 'does not lead to an authority of its trust domain'], {
    tolerated: {
      go: 'puts chains in order by itself',
      python: 'so does OpenSSL',
      openssl: 'takes a heap of certificates',
    },
  }),
  bad('thirtyCertificates', ['X509_SVID_INVALID', 'more than 16'], {
    tolerated: { go: 'counts signatures, up to 100', python: 'so does OpenSSL', openssl: 'takes up to 100' },
  }),
]
