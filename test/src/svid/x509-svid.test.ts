import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { parseX509Svid, X509_SVID_MAX_CHAIN } from '../../../src/svid/x509-svid.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'

let authority: TestAuthority
let svid: TestSvid
let pkcs8: Buffer

beforeAll(async () => {
  authority = await TestAuthority.create()
  svid = await (await authority.intermediate()).issue('/web')
  pkcs8 = svid.keyPair.privateKey.export({ type: 'pkcs8', format: 'der' })
})

const chainDer = (): Buffer => Buffer.concat(svid.chain.map(({ der }) => der))

describe('parseX509Svid()', () => {
  test('WA-23 reads a chain, leaf first, with the key of the leaf', () => {
    const parsed = parseX509Svid(chainDer(), pkcs8, 'internal')
    expect(parsed.spiffeId.toString()).toBe('spiffe://example.org/web')
    expect(parsed.chain.map(({ der }) => der)).toEqual(svid.chain.map(({ der }) => der))
    expect(parsed.privateKey?.equals(svid.keyPair.privateKey)).toBe(true)
    expect(parsed.hint).toBe('internal')
  })

  test('reads a chain without key', () => {
    expect(parseX509Svid(chainDer()).privateKey).toBeUndefined()
  })

  test('IO-07 refuses the key of another leaf', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey.export({
      type: 'pkcs8',
      format: 'der',
    })
    expect(() => parseX509Svid(chainDer(), other)).toThrowCode('X509_SVID_INVALID', 'not that of its certificate')
  })

  test('IO-07 refuses a key in SEC1 form and bytes that are no key, and says nothing of them', () => {
    const sec1 = svid.keyPair.privateKey.export({ type: 'sec1', format: 'der' })
    for (const key of [sec1, Buffer.from('secret'), Buffer.concat([pkcs8.subarray(0, 40)])]) {
      expect(() => parseX509Svid(chainDer(), key)).toThrowCode('X509_SVID_INVALID', 'not PKCS#8')
    }
  })

  test.for(['', 'leaf', 'ca'] as const)('X5-05 refuses a chain that starts with %j', async (what) => {
    const trustDomainLeaf = await authority.issue('')
    const first = { '': Buffer.of(), leaf: trustDomainLeaf.certificate.der, ca: authority.certificate.der }[what]
    expect(() => parseX509Svid(first)).toThrowCode('X509_SVID_INVALID')
  })

  test('IO-05 refuses a chain of more than 16', () => {
    const long = Buffer.concat(Array.from({ length: X509_SVID_MAX_CHAIN + 1 }, () => svid.certificate.der))
    expect(() => parseX509Svid(long)).toThrowCode('X509_SVID_INVALID', 'more than 16')
  })

  test('on any bytes throws a SallyportError', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (chain, key) => {
        for (const bytes of [Buffer.from(chain), chainDer()]) {
          try {
            parseX509Svid(bytes, Buffer.from(key))
          } catch (error) {
            expect(error).toBeInstanceOf(SallyportError)
          }
        }
      }),
    )
  })

  test('reads the published leaf with the published key', () => {
    const vectors = JSON.parse(readFileSync(new URL('../../vectors/svid-vectors.json', import.meta.url), 'utf8')) as {
      readonly leafKey: string
      readonly leaves: readonly { readonly der: string }[]
    }
    const parsed = parseX509Svid(Buffer.from(vectors.leaves[0]!.der, 'base64'), Buffer.from(vectors.leafKey, 'base64'))
    expect(parsed.privateKey?.asymmetricKeyType).toBe('ec')
  })
})
