import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Bundle, bundleOf } from '../../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import type { ErrorCode } from '../../../src/errors.ts'
import { memberOf } from '../../../src/id/matcher.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { verifyX509Svid, verifyX509SvidNow } from '../../../src/svid/verify-x509-svid.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import type { Certificate } from '../../../src/x509/certificate.ts'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import { type BadSvidRow, badSvidNames, badSvids, issueBad } from '../../../src/testing/bad-svids.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

const now = new Date('2026-06-01T12:00:00Z')
let authority: TestAuthority
let other: TestAuthority

beforeAll(async () => {
  authority = await TestAuthority.create({ now })
  other = await TestAuthority.create({ now, trustDomain: 'other.test' })
})

const both = (): Bundle[] => [authority.bundle(), other.bundle()]

/** In both forms, which must agree. */
async function verify(chain: readonly Certificate[], bundles = both(), at = now): Promise<X509Svid> {
  const known = bundleSetOf(bundles)
  const later = await verifyX509Svid(chain, known, at, cryptography).catch((error: unknown) => error as Error)
  let atOnce: X509Svid | Error
  try {
    atOnce = verifyX509SvidNow(chain, known, at).svid
  } catch (error) {
    atOnce = error as Error
  }
  expect(atOnce).toEqual(later)
  if (later instanceof Error) throw later
  return later
}

/** What the SPIFFE rules say about a chain that path validation alone would accept. */
const codeOf = ({ chainCode, isRefusedBefore = false }: BadSvidRow): ErrorCode =>
  isRefusedBefore ? 'X509_SVID_INVALID' : (chainCode ?? 'X509_SVID_INVALID')

describe('verifyX509Svid()', () => {
  test('X5-30 WA-13 TB-20 accepts a leaf of the trust domain that it names', async () => {
    const { chain } = await authority.issue('/ns/web')
    const svid = await verify(chain)
    expect(svid.spiffeId.toString()).toBe('spiffe://example.org/ns/web')
    expect(svid.privateKey).toBeUndefined()
  })

  test('X5-22 X5-34 accepts a leaf below an intermediate, whatever the intermediate is called', async () => {
    for (const uriSans of [['spiffe://example.org'], [], ['spiffe://other.test/ca']]) {
      const { chain } = await (await authority.intermediate({ uriSans })).issue()
      expect((await verify(chain)).chain).toHaveLength(2)
    }
  })

  test('X5-34 tolerates more key usage on a signing certificate', async () => {
    const imported = await TestAuthority.create({ now, keyUsage: ['keyCertSign', 'digitalSignature'] })
    await verify((await imported.issue()).chain, [imported.bundle()])
  })

  // One row for each way to break X5-02 (one URI), X5-28 (a leaf, with a path), X5-29 (path validation), X5-32 (key usage), …
  describe('X5-02 X5-28 one rule broken', () => {
    test.for(badSvidNames.map((name) => ({ name, rule: badSvids[name].rule })))(
      '$rule refuses $name',
      async ({ name }) => {
        const { chain } = await issueBad(authority, name)
        await expect(verify(chain)).rejects.toThrowCode(codeOf(badSvids[name]))
      },
    )
  })

  test('SV-01 X5-30 NT-10 FE-08 refuses an id of one trust domain signed by the authority of another, both known', async () => {
    const stranger = await other.issue('/x', { uriSans: ['spiffe://example.org/workload'] })
    await expect(verify(stranger.chain)).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('X5-30 WA-13 refuses an id whose trust domain is unknown', async () => {
    const { chain } = await other.issue()
    await expect(verify(chain, [authority.bundle()])).rejects.toThrowCode('BUNDLE_UNKNOWN', 'other.test')
  })

  test('X5-31 X5-49 TB-06 TB-07 an empty bundle vouches for nobody', async () => {
    const { chain } = await authority.issue()
    const empty = bundleOf({ trustDomain: authority.trustDomain })
    await expect(verify(chain, [empty, other.bundle()])).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('TB-21 an authority that left the bundle is not trusted any more', async () => {
    const next = await TestAuthority.create({ now })
    const { chain } = await authority.issue()
    await verify(chain, [authority.bundle(authority, next)])
    await expect(verify(chain, [next.bundle()])).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('TB-03 a key that two trust domains share proves membership in the one that the leaf names', async () => {
    const twin = await TestAuthority.create({ now, trustDomain: 'twin.test', keyPair: authority.keyPair })
    const { spiffeId } = await verify((await twin.issue('/admin')).chain, [authority.bundle(), twin.bundle()])
    expect(memberOf('example.org').matches(spiffeId)).toBe(false)
  })

  test('X5-36 a bundle certificate that is not self-signed is still an anchor', async () => {
    const intermediate = await authority.intermediate()
    const { certificate } = await intermediate.issue()
    await verify([certificate], [intermediate.bundle()])
  })

  test('X5-37 an expired authority anchors nothing and spoils nothing', async () => {
    const expired = await TestAuthority.create({ now, notAfter: new Date(now.getTime() - 1000) })
    const bundle = authority.bundle(expired, authority)
    await verify((await authority.issue()).chain, [bundle])
    await expect(verify((await expired.issue()).chain, [bundle])).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test.for([
    ['a missing extended key usage', { extendedKeyUsage: undefined }],
    ['a missing basicConstraints', { basicConstraints: false }],
    ['DNS names besides', { dnsSans: ['a.test', 'b.test'] }],
    ['a subject', { subject: { commonName: 'web' } }],
    ['keyEncipherment and keyAgreement', { keyUsage: ['digitalSignature', 'keyEncipherment', 'keyAgreement'] }],
  ] as const)('X5-33 X5-03 X5-13 tolerates %s', async ([, options]) => {
    await verify((await authority.issue('/workload', options)).chain)
  })

  test('X5-32 takes a leaf without keyUsage only where told', async () => {
    const { chain } = await authority.issue('/workload', { keyUsage: undefined })
    const bundles = bundleSetOf(both())
    await expect(verifyX509Svid(chain, bundles, now, cryptography)).rejects.toThrowCode('X509_SVID_INVALID', 'keyUsage')
    await verifyX509Svid(chain, bundles, now, cryptography, { missingKeyUsage: true })
  })

  test('refuses nothing at all, and more than any chain has', async () => {
    await expect(verify([])).rejects.toThrowCode('X509_SVID_INVALID', 'no certificate')
    const { certificate } = await authority.issue()
    await expect(verify(Array.from({ length: 17 }, () => certificate))).rejects.toThrowCode(
      'X509_SVID_INVALID',
      'more than 16',
    )
  })

  test('X5-29 a leaf is valid up to its end and not after', async () => {
    const { chain } = await authority.issue()
    const end = chain[0].notAfter.getTime()
    await verify(chain, both(), new Date(end))
    await expect(verify(chain, both(), new Date(end + 1000))).rejects.toThrowCode('CERTIFICATE_EXPIRED')
  })
})

interface Vectors {
  readonly ca: string
  readonly leaves: readonly {
    name: string
    is: string
    accepted: boolean
    requirement?: string
    code?: ErrorCode
    der: string
  }[]
}

describe('published vectors', () => {
  const vectors = JSON.parse(
    readFileSync(new URL('../../vectors/svid-vectors.json', import.meta.url), 'utf8'),
  ) as Vectors
  const trustDomain = TrustDomain.parse('vector.test')
  const ca = decodeCertificate(Buffer.from(vectors.ca, 'base64'))
  const anchored = bundleOf({ trustDomain, x509Authorities: [{ certificate: ca, tainted: false }] })

  test.for(vectors.leaves)('$requirement $name: $is, accepted: $accepted', async ({ der, accepted, code }) => {
    const outcome = verify([decodeCertificate(Buffer.from(der, 'base64'))], [anchored])
    if (accepted) expect((await outcome).spiffeId.toString()).toBe('spiffe://vector.test/web')
    else await expect(outcome).rejects.toThrowCode(code!)
  })

  test('X5-30 L6 is refused as well when other.test has an authority', async () => {
    const leaf = decodeCertificate(Buffer.from(vectors.leaves.find(({ name }) => name === 'L6')!.der, 'base64'))
    await expect(verify([leaf], [anchored, other.bundle()])).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('X5-29 all are refused in 2050', async () => {
    for (const { der } of vectors.leaves.filter(({ accepted }) => accepted)) {
      const leaf = decodeCertificate(Buffer.from(der, 'base64'))
      await expect(verify([leaf], [anchored], new Date('2050-01-01'))).rejects.toThrowCode('CERTIFICATE_EXPIRED')
    }
  })

  test('SV-05 any changed byte of the signed part is refused', async () => {
    const der = Buffer.from(vectors.leaves[0]!.der, 'base64')
    const san = der.indexOf('spiffe://vector.test/web')
    der[san + 'spiffe://vector.test/w'.length] = 'o'.charCodeAt(0)
    const forged = decodeCertificate(der)
    expect(forged.uriSans).toEqual(['spiffe://vector.test/wob'])
    await expect(verify([forged], [anchored])).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })
})

describe('verifyX509SvidNow()', () => {
  test('says for how long the proof holds: no longer than any certificate from the leaf to the authority', async () => {
    const soon = new Date(now.getTime() + 90_000)
    const recent = new Date(now.getTime() - 30_000)
    const { chain } = await (await authority.intermediate({ notAfter: soon })).issue('/x', { notBefore: recent })
    const verified = verifyX509SvidNow(chain, bundleSetOf(both()), now)
    expect([verified.notBefore, verified.notAfter]).toEqual([recent, soon])
    expect(verified.bundle.trustDomain.name).toBe('example.org')
  })
})
