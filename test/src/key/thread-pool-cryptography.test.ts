import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { SignatureAlgorithm, SignatureEncoding } from '../../../src/key/cryptography.ts'
import { keyTypes } from '../../../src/key/key-type.ts'
import { CERTIFIED_KEYS, checkPublicKey } from '../../../src/key/public-key.ts'
import { algorithmOf, signatureAlgorithms } from '../../../src/key/signature-algorithm.ts'
import { signerOf } from '../../../src/key/signer.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'

const data = Buffer.from('what is signed')

describe('threadPoolCryptography', () => {
  test.for([...keyTypes].filter((type) => type !== 'rsa-4096'))('makes %s keys and signs with them', async (type) => {
    const keyPair = await cryptography.generateKeyPair(type)
    expect(keyPair.type).toBe(type)
    expect(() => checkPublicKey(keyPair, CERTIFIED_KEYS)).not.toThrow()
    const signer = signerOf(keyPair, cryptography)
    const algorithm = algorithmOf(type)
    for (const encoding of ['der', 'ieee-p1363'] satisfies SignatureEncoding[]) {
      const signature = await signer.sign(algorithm, data, encoding)
      expect(await cryptography.verify(algorithm, keyPair.publicKey, data, signature, encoding)).toBe(true)
      const { hash } = signatureAlgorithms[algorithm]
      expect(verify(hash, data, { key: keyPair.publicKey, dsaEncoding: encoding }, signature)).toBe(true)
      const changed = Buffer.from('what was signed')
      expect(await cryptography.verify(algorithm, keyPair.publicKey, changed, signature, encoding)).toBe(false)
    }
  })

  test.for(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] satisfies SignatureAlgorithm[])(
    'signs %s, and no other algorithm accepts it',
    async (algorithm) => {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const signature = await cryptography.sign(algorithm, privateKey, data, 'der')
      for (const other of ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] satisfies SignatureAlgorithm[]) {
        const verified = await cryptography.verify(other, publicKey, data, signature, 'der')
        expect(verified).toBe(other === algorithm)
      }
    },
  )

  test('signs and verifies EdDSA', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const signature = await cryptography.sign('EdDSA', privateKey, data, 'der')
    expect(await cryptography.verify('EdDSA', publicKey, data, signature, 'der')).toBe(true)
  })

  test('a batch of P-256 signatures, the first of which is made at once, is whole', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const messages = Array.from({ length: 40 }, (_, index) => Buffer.from(`message ${index}`))
    const signatures = await Promise.all(
      messages.map((message) => cryptography.sign('ES256', privateKey, message, 'ieee-p1363')),
    )
    for (const [index, message] of messages.entries()) {
      expect(signatures[index]).toHaveLength(64)
      expect(await cryptography.verify('ES256', publicKey, message, signatures[index]!, 'ieee-p1363')).toBe(true)
    }
  })

  test('a failed signature rejects and leaves the pool usable', async () => {
    const { privateKey: ec } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const algorithm of ['ES256', 'ES384'] satisfies SignatureAlgorithm[]) {
      await expect(cryptography.sign(algorithm, publicKey, data, 'der')).rejects.toThrow()
    }
    expect(await cryptography.sign('ES256', ec, data, 'der')).toBeInstanceOf(Buffer)
  })

  test('SE-15 a key of another kind verifies nothing', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const signature = sign('sha256', data, privateKey)
    expect(await cryptography.verify('ES256', publicKey, data, signature, 'der')).toBe(false)
    expect(await cryptography.verify('EdDSA', publicKey, data, signature, 'der')).toBe(false)
  })

  test.for([Buffer.alloc(0), Buffer.alloc(64), Buffer.alloc(300, 0x30)])(
    'hostile signatures verify nothing',
    async (signature) => {
      const { publicKey } = await cryptography.generateKeyPair('ec-p256')
      for (const encoding of ['der', 'ieee-p1363'] satisfies SignatureEncoding[]) {
        expect(await cryptography.verify('ES256', publicKey, data, signature, encoding)).toBe(false)
      }
    },
  )
})
