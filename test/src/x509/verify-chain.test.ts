import { constants, generateKeyPairSync, sign } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import type { Cryptography } from '../../../src/key/cryptography.ts'
import type { KeyType } from '../../../src/key/key-type.ts'
import { encodeAlgorithm } from '../../../src/x509/algorithm-identifier.ts'
import type { Certificate } from '../../../src/x509/certificate.ts'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import { bitString, element, NULL, oid, sequence } from '../../../src/x509/der-writer.ts'
import { encodeTbs } from '../../../src/x509/encode-certificate.ts'
import { encodeExtension } from '../../../src/x509/encode-extensions.ts'
import { CHAIN_MAX_CERTIFICATES, type ChainToVerify, verifyChain } from '../../../src/x509/verify-chain.ts'
import { badSvidNames, badSvids, issueBad } from '../../../src/testing/bad-svids.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

const now = new Date('2026-06-01T12:00:00Z')
let root: TestAuthority

beforeAll(async () => {
  root = await TestAuthority.create({ now })
})

function verify(chain: readonly Certificate[], options: Partial<ChainToVerify> = {}): Promise<readonly Certificate[]> {
  return verifyChain({ chain, authorities: [root.certificate], now, cryptography, ...options })
}

const codeOf = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'accepted',
    (error: unknown) => error,
  )

/** Counts verifications, to show what is refused without one. */
function counting(): Cryptography & { readonly count: number } {
  let count = 0
  return {
    ...cryptography,
    get count() {
      return count
    },
    verify(...input) {
      count++
      return cryptography.verify(...input)
    },
  }
}

describe('verifyChain()', () => {
  test.for(['ec-p256', 'ec-p384', 'rsa-2048'] satisfies KeyType[])(
    'X5-29 accepts a leaf of a %s authority',
    async (keyType) => {
      const authority = await TestAuthority.create({ now, keyType })
      const { chain } = await authority.issue()
      const path = await verify(chain, { authorities: [authority.certificate] })
      expect(path).toEqual([chain[0], authority.certificate])
    },
  )

  test('X5-22 X5-08 accepts root → intermediate → leaf, with a path length that allows it', async () => {
    const top = await TestAuthority.create({ now, pathLength: 1 })
    const { chain } = await (await top.intermediate({ pathLength: 0 })).issue()
    expect(await verify(chain, { authorities: [top.certificate] })).toHaveLength(3)
  })

  test('X5-08 a path length of the authority in the bundle is kept too', async () => {
    const top = await TestAuthority.create({ now, pathLength: 0 })
    const { chain } = await (await top.intermediate()).issue()
    const refused = await codeOf(verify(chain, { authorities: [top.certificate] }))
    expect(refused).toThrowCode('CERTIFICATE_UNTRUSTED', 'allows a path length of 0')
  })

  test('X5-08 a self-issued certificate, as in a change of key, does not count', async () => {
    const top = await TestAuthority.create({ now, pathLength: 1, subject: { commonName: 'top' } })
    const selfIssued = await top.intermediate({ subject: { commonName: 'top' } })
    const { chain } = await (await selfIssued.intermediate()).issue()
    expect(await verify(chain, { authorities: [top.certificate] })).toHaveLength(4)
  })

  const brokenPaths = badSvidNames.filter((name) => badSvids[name].chainCode !== undefined)
  test.for(brokenPaths.map((name) => [badSvids[name].rule, name] as const))('%s refuses %s', async ([, name]) => {
    const { chain } = await issueBad(root, name)
    expect(await codeOf(verify(chain))).toThrowCode(badSvids[name].chainCode!)
  })

  test.for(badSvidNames.filter((name) => badSvids[name].chainCode === undefined))(
    'the path of %s is good: only the SPIFFE rules refuse it',
    async (name) => {
      expect(await verify((await issueBad(root, name)).chain)).toHaveLength(2)
    },
  )

  test('X5-29 the last second of a certificate is part of its life, the next is not', async () => {
    const notAfter = new Date(now.getTime() + 60_000)
    const { chain } = await root.issue('/a', { notAfter })
    expect(await verify(chain, { now: notAfter })).toHaveLength(2)
    const later = new Date(notAfter.getTime() + 1)
    expect(await codeOf(verify(chain, { now: later }))).toThrowCode('CERTIFICATE_EXPIRED', 'expired at')
  })

  test('X5-36 an intermediate in the bundle ends the path', async () => {
    const intermediate = await root.intermediate()
    const { chain } = await intermediate.issue()
    const path = await verify(chain, { authorities: [intermediate.certificate] })
    expect(path.at(-1)).toBe(intermediate.certificate)
  })

  test('X5-37 an expired authority anchors nothing and does not disturb the others', async () => {
    const old = await TestAuthority.create({ now, notBefore: new Date(0), notAfter: new Date(now.getTime() - 1) })
    const authorities = [old.certificate, root.certificate]
    expect(await verify((await root.issue()).chain, { authorities })).toHaveLength(2)
    const refused = await codeOf(verify((await old.issue()).chain, { authorities }))
    expect(refused).toThrowCode('CERTIFICATE_UNTRUSTED', 'expired at')
  })

  test('X5-31 nothing is trusted without authorities', async () => {
    const refused = await codeOf(verify((await root.issue()).chain, { authorities: [] }))
    expect(refused).toThrowCode('CERTIFICATE_UNTRUSTED', 'no authorities')
  })

  test('X5-24 name constraints of an authority are never ignored', async () => {
    const constraints = sequence(element(0xa0, sequence(element(0x86, Buffer.from('example.org')))))
    for (const isCritical of [true, false]) {
      const extensions = [encodeExtension('2.5.29.30', isCritical, constraints)]
      const limited = await TestAuthority.create({ now, extensions })
      const refused = await codeOf(verify((await limited.issue()).chain, { authorities: [limited.certificate] }))
      expect(refused).toThrowCode('CERTIFICATE_UNTRUSTED', '2.5.29.30')
    }
  })

  test('X5-34 an intermediate without an id, or with more usages, is accepted', async () => {
    const intermediate = await root.intermediate({ uriSans: [], keyUsage: ['keyCertSign', 'digitalSignature'] })
    expect(await verify((await intermediate.issue()).chain)).toHaveLength(3)
  })

  test('X5-33 a missing key usage, extended key usage or basic constraints of a leaf is no matter of the path', async () => {
    const options = { keyUsage: undefined, extendedKeyUsage: undefined, basicConstraints: false }
    expect(await verify((await root.issue('/a', options)).chain, { purpose: 'serverAuth' })).toHaveLength(2)
  })

  test('a leaf for clients alone is not for servers, nor is one below an authority for clients alone', async () => {
    const { chain } = await root.issue('/a', { extendedKeyUsage: ['clientAuth'] })
    expect(await verify(chain, { purpose: 'clientAuth' })).toHaveLength(2)
    expect(await codeOf(verify(chain, { purpose: 'serverAuth' }))).toThrowCode(
      'CERTIFICATE_INVALID',
      'not for serverAuth',
    )
    const below = await (await root.intermediate({ extendedKeyUsage: ['clientAuth'] })).issue()
    expect(await codeOf(verify(below.chain, { purpose: 'serverAuth' }))).toThrowCode(
      'CERTIFICATE_INVALID',
      'certificate 2',
    )
  })

  test('a root behind the chain is passed over', async () => {
    const { chain } = await root.issue()
    expect(await verify([...chain, root.certificate])).toHaveLength(2)
  })

  test('IO-05 a chain of ten is the longest, and an empty one is none', async () => {
    let authority = root
    for (let depth = 0; depth < CHAIN_MAX_CERTIFICATES - 1; depth++) authority = await authority.intermediate()
    expect(await verify((await authority.issue()).chain)).toHaveLength(CHAIN_MAX_CERTIFICATES + 1)
    const tooLong = await (await authority.intermediate()).issue()
    expect(await codeOf(verify(tooLong.chain))).toThrowCode('CERTIFICATE_INVALID', 'more than 16')
    expect(await codeOf(verify([]))).toThrowCode('CERTIFICATE_INVALID', 'empty')
  })

  test('SV-05 X5-29 any changed byte of the signed part breaks the chain', async () => {
    const { certificate } = await root.issue()
    const at = certificate.der.indexOf('workload')
    const der = Buffer.from(certificate.der)
    der.write('werkload', at)
    const changed = decodeCertificate(der)
    expect(changed.uriSans).toEqual(['spiffe://example.org/werkload'])
    expect(await codeOf(verify([changed]))).toThrowCode('CERTIFICATE_UNTRUSTED', 'did not sign it')
  })
})

describe('SE-15 before a signature is verified', () => {
  test.for([
    ['rsa', { modulusLength: 1024 }, 'at least 2048'],
    ['rsa', { modulusLength: 2048, publicExponent: 3 }, 'exponent'],
    ['ec', { namedCurve: 'P-521' }, undefined],
  ] as const)('SE-15 a leaf with a key of %s %o', async ([kind, options, words]) => {
    const pair = kind === 'rsa' ? generateKeyPairSync('rsa', options) : generateKeyPairSync('ec', options)
    const { chain } = await root.issue('/a', { keyPair: { type: 'ec-p256', ...pair } })
    const counted = counting()
    const result = await codeOf(verify(chain, { cryptography: counted }))
    if (words === undefined) return expect(result).toBe('accepted')
    expect(result).toThrowCode('KEY_REFUSED', words)
    expect(counted.count).toBe(0)
  })

  test('SE-15 an authority with a weak key anchors nothing', async () => {
    const keyPair = { type: 'rsa-2048', ...generateKeyPairSync('rsa', { modulusLength: 1024 }) } as const
    const weak = await TestAuthority.create({ now, keyPair })
    const counted = counting()
    const { chain } = await weak.issue()
    const refused = await codeOf(verify(chain, { authorities: [weak.certificate], cryptography: counted }))
    expect(refused).toThrowCode('KEY_REFUSED')
    expect(counted.count).toBe(0)
  })

  test('SE-15 SHA-1 is not accepted', async () => {
    const authority = await TestAuthority.create({ now, keyType: 'rsa-2048' })
    const { keyPair } = await root.issue()
    const sha1WithRsa = sequence(oid('1.2.840.113549.1.1.5'), NULL)
    const tbs = encodeTbs(authority.fields({ uriSans: ['spiffe://example.org/a'] }, keyPair), sha1WithRsa)
    const signature = sign('sha1', tbs, authority.keyPair.privateKey)
    const certificate = decodeCertificate(sequence(tbs, sha1WithRsa, bitString(signature)))
    const counted = counting()
    const refused = await codeOf(verify([certificate], { authorities: [authority.certificate], cryptography: counted }))
    expect(refused).toThrowCode('CERTIFICATE_INVALID', '1.2.840.113549.1.1.5')
    expect(counted.count).toBe(0)
  })

  test('SE-15 PSS is verified with its own parameters only', async () => {
    const authority = await TestAuthority.create({ now, keyType: 'rsa-2048' })
    const { keyPair } = await root.issue()
    const fields = authority.fields({ uriSans: ['spiffe://example.org/a'] }, keyPair)
    const pss = encodeAlgorithm('PS256')
    const tbs = encodeTbs(fields, pss)
    const key = { key: authority.keyPair.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING }
    const certificateOf = (algorithm: Buffer, saltLength: number): Certificate => {
      const bytes = encodeTbs(fields, algorithm)
      return decodeCertificate(sequence(bytes, algorithm, bitString(sign('sha256', bytes, { ...key, saltLength }))))
    }
    expect(tbs.includes(pss)).toBe(true)
    const authorities = [authority.certificate]
    expect(await verify([certificateOf(pss, 32)], { authorities })).toHaveLength(2)
    expect(await codeOf(verify([certificateOf(pss, 20)], { authorities }))).toThrowCode('CERTIFICATE_UNTRUSTED')
    const withoutParameters = sequence(oid('1.2.840.113549.1.1.10'))
    expect(await codeOf(verify([certificateOf(withoutParameters, 32)], { authorities }))).toThrowCode(
      'CERTIFICATE_INVALID',
    )
  })

  test('SE-15 an ECDSA signature is never tried with an RSA key', async () => {
    const rsa = await TestAuthority.create({ now, keyType: 'rsa-2048', subject: { commonName: 'same' } })
    const ec = await TestAuthority.create({ now, subject: { commonName: 'same' } })
    const { keyPair } = await root.issue()
    const signed = await rsa.sign({ uriSans: ['spiffe://example.org/a'] }, keyPair)
    const withoutKeyId = { ...signed, authorityKeyId: undefined }
    const counted = counting()
    const refused = await codeOf(verify([withoutKeyId], { authorities: [ec.certificate], cryptography: counted }))
    expect(refused).toThrowCode('CERTIFICATE_UNTRUSTED')
    expect(counted.count).toBe(0)
    // The right one among authorities of one name is still found.
    expect(await verify([withoutKeyId], { authorities: [ec.certificate, rsa.certificate] })).toHaveLength(2)
  })

  test('SE-15 inner and outer algorithm must be equal', async () => {
    const { certificate } = await root.issue()
    const other = sequence(oid('1.2.840.10045.4.3.3'))
    const der = sequence(certificate.tbs, other, bitString(certificate.signature))
    expect(() => decodeCertificate(der)).toThrowCode('CERTIFICATE_INVALID', 'algorithms differ')
  })
})
