import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { isKnownKeyType, jwkOf, publicKeyOfJwk } from '../../../src/jws/jwk.ts'

const ec = (namedCurve: string): KeyObject => generateKeyPairSync('ec', { namedCurve }).publicKey
const rsa = (modulusLength: number, publicExponent = 65537): KeyObject =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).publicKey
const p256 = { ...jwkOf(ec('prime256v1'), 'k') }
const rsa2048 = { ...jwkOf(rsa(2048), 'k') }

describe('jwkOf()', () => {
  test.for([
    ['EC', ec('prime256v1'), ['crv', 'x', 'y']],
    ['EC', ec('secp384r1'), ['crv', 'x', 'y']],
    ['RSA', rsa(2048), ['n', 'e']],
    ['OKP', generateKeyPairSync('ed25519').publicKey, ['crv', 'x']],
  ] as const)('TB-15 TB-18 X5-44 describes %s keys by exactly the members of their type', ([kty, key, members]) => {
    expect(Object.keys(jwkOf(key))).toEqual(['kty', ...members])
    expect(jwkOf(key)['kty']).toBe(kty)
  })

  test('X5-44 what it prints is the same key', () => {
    for (const key of [ec('prime256v1'), ec('secp521r1'), rsa(3072)]) {
      expect(publicKeyOfJwk(jwkOf(key, 'k')).equals(key)).toBe(true)
    }
  })

  test('TB-23 JW-29 of a private key it prints the public half', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
    expect(Object.keys(jwkOf(privateKey))).toEqual(['kty', 'crv', 'x', 'y'])
  })
})

describe('publicKeyOfJwk()', () => {
  test.for([
    ['a kty of the future', { ...p256, kty: 'AKP' }],
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }],
    ['Ed25519', { ...jwkOf(generateKeyPairSync('ed25519').publicKey) }],
    ['another curve', { ...p256, crv: 'secp256k1' }],
    ['no curve', { kty: 'EC', x: p256['x']!, y: p256['y']! }],
    ['a short coordinate', { ...p256, x: p256['x']!.slice(0, 40) }],
    ['a point beside the curve', { ...p256, y: p256['x']! }],
    ['padding', { ...p256, x: `${p256['x']}=` }],
    ['a modulus in standard base64', { ...rsa2048, n: Buffer.from(rsa2048['n']!, 'base64url').toString('base64') }],
    ['an empty modulus', { ...rsa2048, n: '' }],
    ['a number for a modulus', { ...rsa2048, n: 5 }],
    ['a modulus without end', { ...rsa2048, n: 'A'.repeat(100_000) }],
  ] as const)('JW-32 refuses %s', ([, jwk]) => {
    expect(() => publicKeyOfJwk(jwk)).toThrowCode('JWK_INVALID')
  })

  test.for(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'])(
    'TB-23 refuses a key that discloses "%s"',
    (member) => {
      expect(() => publicKeyOfJwk({ ...p256, [member]: 'AAAA' })).toThrowCode('JWK_INVALID', member)
    },
  )

  test.for([
    ['1,024 bits', rsa(1024)],
    ['exponent 3', rsa(2048, 3)],
  ] as const)('SE-15 JW-05 refuses RSA with %s', ([, key]) => {
    expect(() => publicKeyOfJwk(jwkOf(key, 'k'))).toThrowCode('KEY_REFUSED')
  })
})

test('TB-15 knows the key types of today', () => {
  expect(['EC', 'RSA', 'OKP', 'AKP', 'oct', undefined, 5, 'toString'].map(isKnownKeyType)).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ])
})
