import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../../src/errors.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { verifyX509Svid, verifyX509SvidNow } from '../../../src/svid/verify-x509-svid.ts'
import { decodeCrl } from '../../../src/x509/decode-crl.ts'
import { encodeExtension } from '../../../src/x509/encode-extensions.ts'
import { NULL } from '../../../src/x509/der-writer.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import { strangeExtension, testCrl, type TestCrlOptions } from '../../fakes/test-crl.ts'

const now = new Date('2026-06-01T12:00:00Z')
const HOUR_MS = 3_600_000
let home: TestAuthority
let thief: TestAuthority
let web: TestSvid

beforeAll(async () => {
  home = await TestAuthority.create({ now })
  thief = await TestAuthority.create({ now })
  web = await home.issue('/web')
})

describe('decodeCrl()', () => {
  test('reads what a list says', async () => {
    const crl = decodeCrl(await testCrl(home, { revoked: [1n, 255n], entryExtensions: [strangeExtension(false)] }))
    expect([...crl.revoked]).toEqual(['1', 'ff'])
    expect(crl.issuer).toEqual(home.certificate.subject)
    expect(crl.authorityKeyId).toEqual(home.certificate.subjectKeyId)
    expect([crl.thisUpdate, crl.nextUpdate]).toEqual([
      new Date(now.getTime() - HOUR_MS),
      new Date(now.getTime() + HOUR_MS),
    ])
    expect(decodeCrl(await testCrl(home, { nextUpdate: null, hasKeyId: false }))).toMatchObject({
      nextUpdate: undefined,
      authorityKeyId: undefined,
      revoked: new Set(),
    })
  })

  test.for<readonly [string, TestCrlOptions, string]>([
    ['a delta', { extensions: [encodeExtension('2.5.29.27', true, Buffer.of(2, 1, 1))] }, '2.5.29.27'],
    ['a list about a part', { extensions: [encodeExtension('2.5.29.28', true, NULL)] }, '2.5.29.28'],
    ['an indirect list', { revoked: [1n], entryExtensions: [encodeExtension('2.5.29.29', true, NULL)] }, '2.5.29.29'],
    ['an extension twice', { extensions: [strangeExtension(false), strangeExtension(false)] }, 'twice'],
    ['another version', { version: 0n }, 'version 2'],
  ])('X5-39: refuses %s, which is not the whole truth', async ([, options, why]) => {
    const bytes = await testCrl(home, options)
    expect(() => decodeCrl(bytes)).toThrowCode('CRL_INVALID', why)
  })

  test('X5-39: of any damaged bytes it says that they are damaged', async () => {
    const good = await testCrl(home, { revoked: [1n, 2n, 3n] })
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, isCut) => {
        const bytes = Buffer.from(isCut ? good.subarray(0, at) : good)
        if (!isCut) bytes[at]! ^= change
        try {
          decodeCrl(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
          expect(error).toThrowCode('CRL_INVALID')
        }
      }),
    )
  })
})

describe('verifyX509Svid() with revocation lists', () => {
  async function verify(svid: TestSvid, crls: readonly Buffer[], at = now): Promise<unknown> {
    const bundles = bundleSetOf([bundleOf({ ...home.bundle(), crls: crls.map((bytes) => decodeCrl(bytes)) })])
    const later = await verifyX509Svid(svid.chain, bundles, at, cryptography).catch((error: unknown) => error as Error)
    let atOnce: unknown
    try {
      atOnce = verifyX509SvidNow(svid.chain, bundles, at).svid
    } catch (error) {
      atOnce = error
    }
    expect(atOnce).toEqual(later)
    return later
  }

  test('X5-39: refuses a leaf that a list of its issuer names, and no other', async () => {
    const list = await testCrl(home, { revoked: [web.certificate.serialNumber] })
    expect(await verify(web, [list])).toThrowCode('CERTIFICATE_REVOKED', 'certificate 1 is revoked')
    expect(await verify(await home.issue('/other'), [list])).not.toBeInstanceOf(Error)
    expect(await verify(web, [])).not.toBeInstanceOf(Error)
  })

  test('X5-39: refuses what is below a revoked intermediate, and applies the lists of intermediates', async () => {
    const middle = await home.intermediate()
    const svid = await middle.issue('/web')
    const ofHome = await testCrl(home, { revoked: [middle.certificate.serialNumber] })
    expect(await verify(svid, [ofHome])).toThrowCode('CERTIFICATE_REVOKED', 'certificate 2 is revoked')
    const ofMiddle = await testCrl(middle, { revoked: [svid.certificate.serialNumber] })
    expect(await verify(svid, [ofMiddle])).toThrowCode('CERTIFICATE_REVOKED', 'certificate 1 is revoked')
  })

  test('the number of another issuer is another certificate', async () => {
    const middle = await home.intermediate()
    const list = await testCrl(middle, { revoked: [web.certificate.serialNumber] })
    expect(await verify(web, [list])).not.toBeInstanceOf(Error)
  })

  test.for<readonly [string, () => Promise<Buffer>, string]>([
    ['forged', () => testCrl(home, { signedBy: thief }), 'is signed by it'],
    ['out of date', () => testCrl(home, { nextUpdate: new Date(now.getTime() - 1000) }), 'out of date'],
    ['of the future', () => testCrl(home, { thisUpdate: new Date(now.getTime() + 1000) }), 'out of date'],
  ])('X5-39: a list that is %s is never taken for "nothing is revoked"', async ([, list, why]) => {
    expect(await verify(web, [await list()])).toThrowCode('CERTIFICATE_REVOKED', why)
  })

  test('X5-39: an authority that may not sign lists has signed none', async () => {
    const middle = await home.intermediate({ keyUsage: ['keyCertSign'] })
    const svid = await middle.issue('/web')
    expect(await verify(svid, [await testCrl(middle)])).toThrowCode('CERTIFICATE_REVOKED', 'is signed by it')
  })

  test('an older list beside a current one does no harm', async () => {
    const old = await testCrl(home, { nextUpdate: new Date(now.getTime() - 1000) })
    expect(await verify(web, [old, await testCrl(home)])).not.toBeInstanceOf(Error)
  })

  test('a proof is remembered no longer than the lists that it rests on', async () => {
    const nextUpdate = new Date(now.getTime() + 60_000)
    const crls = [decodeCrl(await testCrl(home, { nextUpdate }))]
    const bundles = bundleSetOf([bundleOf({ ...home.bundle(), crls })])
    expect(verifyX509SvidNow(web.chain, bundles, now).notAfter).toEqual(nextUpdate)
  })
})
