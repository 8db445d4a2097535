import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { publicKeyOfSpki, spkiOf } from '../../../src/x509/spki.ts'

const exported = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })

const keys = {
  'P-256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'P-521': generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  Ed25519: generateKeyPairSync('ed25519'),
  RSA: generateKeyPairSync('rsa', { modulusLength: 2048 }),
}

describe('spkiOf()', () => {
  test.for(Object.entries(keys))('gives the bytes of a %s key that was read', ([, { publicKey }]) => {
    const key = publicKeyOfSpki(exported(publicKey))
    expect(spkiOf(key).equals(exported(createPublicKey({ key: exported(key), type: 'spki', format: 'der' })))).toBe(
      true,
    )
    expect(spkiOf(publicKey).equals(exported(publicKey))).toBe(true)
  })

  test('does not change when the bytes that a key was read from do', () => {
    const bytes = exported(keys['P-256'].publicKey)
    const key = publicKeyOfSpki(bytes)
    bytes.fill(0)
    expect(spkiOf(key).equals(exported(keys['P-256'].publicKey))).toBe(true)
  })
})
