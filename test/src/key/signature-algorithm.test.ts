import { describe, expect, test } from 'vitest'
import type { SignatureAlgorithm } from '../../../src/key/cryptography.ts'
import { type KeyType, keyTypes } from '../../../src/key/key-type.ts'
import { algorithmOf, isSignatureAlgorithm } from '../../../src/key/signature-algorithm.ts'

describe('the table of algorithms', () => {
  test('an authority of each key type signs with SHA-2', () => {
    const expected: Record<KeyType, SignatureAlgorithm> = {
      'ec-p256': 'ES256',
      'ec-p384': 'ES384',
      'rsa-2048': 'RS256',
      'rsa-4096': 'RS256',
    }
    for (const type of keyTypes) expect(algorithmOf(type)).toBe(expected[type])
  })

  test.for(['none', 'HS256', 'RS1', 'toString', '__proto__', 'es256', ''])('%j is no algorithm', (name) => {
    expect(isSignatureAlgorithm(name)).toBe(false)
  })
})
