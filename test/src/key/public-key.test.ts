import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { namedCurveOf } from '../../../src/key/named-curve.ts'
import { CERTIFIED_KEYS, type CheckedKey, checkPublicKey, VERIFIED_KEYS } from '../../../src/key/public-key.ts'

const spkiOf = (publicKey: KeyObject): Buffer => publicKey.export({ type: 'spki', format: 'der' })

describe.for<[string, (publicKey: KeyObject) => CheckedKey]>([
  ['with the key alone', (publicKey) => ({ publicKey })],
  ['with the bytes that it was read from', (publicKey) => ({ publicKey, spki: spkiOf(publicKey) })],
])('checkPublicKey() %s', ([, checked]) => {
  const rsa = (modulusLength: number, publicExponent = 65537) =>
    generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey
  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).publicKey

  test.for([
    ['RSA 1024', rsa(1024), 'at least 2048'],
    ['RSA with exponent 3', rsa(2048, 3), 'exponent is not 65537'],
    ['secp256k1', ec('secp256k1'), 'secp256k1 is not accepted'],
    ['P-224', ec('secp224r1'), 'secp224r1 is not accepted'],
    ['Ed25519', generateKeyPairSync('ed25519').publicKey, 'ed25519'],
    ['RSA-PSS', generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey, 'rsa-pss'],
  ] as const)('SE-15 X5-27 refuses %s', ([, key, words]) => {
    for (const limits of [CERTIFIED_KEYS, VERIFIED_KEYS]) {
      expect(() => checkPublicKey(checked(key), limits)).toThrowCode('KEY_REFUSED', words)
    }
  })

  test('SE-15 accepts RSA 2048 and the named curves, P-521 only to verify with', () => {
    for (const key of [rsa(2048), ec('P-256'), ec('P-384')])
      expect(() => checkPublicKey(checked(key), CERTIFIED_KEYS)).not.toThrow()
    expect(() => checkPublicKey(checked(ec('P-521')))).not.toThrow()
    expect(() => checkPublicKey(checked(ec('P-521')), CERTIFIED_KEYS)).toThrowCode('KEY_REFUSED', 'secp521r1')
  })

  test('SE-15 RSA beyond 4096 bits only where it is said', () => {
    const key = rsa(4104)
    expect(() => checkPublicKey(checked(key))).toThrowCode('KEY_REFUSED', 'at most 4096')
    expect(() => checkPublicKey(checked(key), { ...VERIFIED_KEYS, maxRsaBits: 8192 })).not.toThrow()
  })
})

describe('namedCurveOf()', () => {
  test.for(['prime256v1', 'secp384r1', 'secp521r1'])('says %s as OpenSSL does', (namedCurve) => {
    expect(namedCurveOf(spkiOf(generateKeyPairSync('ec', { namedCurve }).publicKey))).toBe(namedCurve)
  })

  test('says nothing of other kinds, and of a point that is cut off or followed by more', () => {
    const spki = spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)
    const others = [generateKeyPairSync('ed25519'), generateKeyPairSync('ec', { namedCurve: 'secp256k1' })]
    for (const { publicKey } of others) expect(namedCurveOf(spkiOf(publicKey))).toBeUndefined()
    expect(namedCurveOf(spki.subarray(0, -1))).toBeUndefined()
    expect(namedCurveOf(Buffer.concat([spki, Buffer.of(0)]))).toBeUndefined()
  })
})
