import { createSign, randomBytes, sign, constants } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import type { KeyType } from '../../../src/key/key-type.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import {
  answerX509popChallenge,
  decodeX509popChallenge,
  decodeX509popPayload,
  decodeX509popResponse,
  encodeX509popChallenge,
  encodeX509popPayload,
  encodeX509popResponse,
  verifyX509popResponse,
  X509POP_PAYLOAD_MAX_BYTES,
} from '../../../src/x509/x509pop-payload.ts'

const nonce = Buffer.alloc(32, 1)

describe('x509pop messages', () => {
  test('look as SPIRE’s do', () => {
    expect(encodeX509popPayload([Buffer.from('a'), Buffer.from('b')]).toString()).toBe(
      '{"certificates":["YQ==","Yg=="]}',
    )
    const challenge = encodeX509popChallenge({ kind: 'ecdsa', nonce: Buffer.from('n') }).toString()
    expect(challenge).toBe('{"rsa_signature":null,"ecdsa_signature":{"nonce":"bg=="}}')
    const rsa = { kind: 'rsa', nonce: Buffer.from('n'), signature: Buffer.from('s') } as const
    expect(encodeX509popResponse(rsa).toString()).toBe(
      '{"rsa_signature":{"nonce":"bg==","signature":"cw=="},"ecdsa_signature":null}',
    )
    const ecdsa = { kind: 'ecdsa', nonce: Buffer.from('n'), r: Buffer.from('r'), s: Buffer.from('s') } as const
    const text = encodeX509popResponse(ecdsa).toString()
    expect(text).toBe('{"rsa_signature":null,"ecdsa_signature":{"nonce":"bg==","r":"cg==","s":"cw=="}}')
  })

  test('what is printed is read back', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 80 }).map((array) => Buffer.from(array))
    const kind = fc.constantFrom('rsa' as const, 'ecdsa' as const)
    fc.assert(
      fc.property(kind, bytes, (kindOf, data) => {
        const challenge = { kind: kindOf, nonce: data }
        expect(decodeX509popChallenge(encodeX509popChallenge(challenge))).toEqual(challenge)
        const response =
          kindOf === 'rsa'
            ? ({ kind: kindOf, nonce: data, signature: data } as const)
            : ({ kind: kindOf, nonce: data, r: data, s: data } as const)
        expect(decodeX509popResponse(encodeX509popResponse(response))).toEqual(response)
        expect(decodeX509popPayload(encodeX509popPayload([data, data]))).toEqual([data, data])
      }),
    )
  })

  test('on any bytes a decoder returns a value or throws a SallyportError', () => {
    const json = fc.json().map((text) => Buffer.from(text))
    const any = fc.oneof(
      json,
      fc.uint8Array().map((array) => Buffer.from(array)),
    )
    fc.assert(
      fc.property(any, (bytes) => {
        for (const decode of [decodeX509popPayload, decodeX509popChallenge, decodeX509popResponse]) {
          try {
            decode(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(SallyportError)
          }
        }
      }),
    )
  })

  test('oversized and empty ones are refused', () => {
    expect(() => decodeX509popPayload(Buffer.alloc(X509POP_PAYLOAD_MAX_BYTES + 1))).toThrowCode(
      'ATTESTATION_INVALID',
      'longer',
    )
    expect(() => decodeX509popPayload(Buffer.from('{"certificates":[]}'))).toThrowCode(
      'ATTESTATION_INVALID',
      'no certificate',
    )
    expect(() => decodeX509popResponse(Buffer.from('{}'))).toThrowCode('ATTESTATION_INVALID', 'neither')
  })
})

describe('the proof', () => {
  test.for<KeyType>(['ec-p256', 'ec-p384', 'rsa-2048'])(
    'of a %s key holds for its challenge and its key only',
    async (type) => {
      const { publicKey, privateKey } = await cryptography.generateKeyPair(type)
      const challenge = { kind: type.startsWith('rsa') ? 'rsa' : 'ecdsa', nonce } as const
      const response = await answerX509popChallenge(challenge, privateKey, randomBytes(32))
      expect(await verifyX509popResponse(challenge, response, publicKey)).toBe(true)
      expect(await verifyX509popResponse({ ...challenge, nonce: randomBytes(32) }, response, publicKey)).toBe(false)
      const other = await cryptography.generateKeyPair(type)
      expect(await verifyX509popResponse(challenge, response, other.publicKey)).toBe(false)
      expect(await verifyX509popResponse(challenge, { ...response, nonce: Buffer.alloc(8) }, publicKey)).toBe(false)
    },
  )

  test('is accepted as Go makes it: PSS over the hash of both nonces with the longest salt; r and s without leading zeros', async () => {
    const rsa = await cryptography.generateKeyPair('rsa-2048')
    const mine = Buffer.alloc(32, 2)
    const both = Buffer.concat([nonce, mine])
    const padding = constants.RSA_PKCS1_PSS_PADDING
    const options = { key: rsa.privateKey, padding, saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN }
    const signature = createSign('sha256').update(both).sign(options)
    expect(
      await verifyX509popResponse({ kind: 'rsa', nonce }, { kind: 'rsa', nonce: mine, signature }, rsa.publicKey),
    ).toBe(true)

    const ec = await cryptography.generateKeyPair('ec-p256')
    for (let seen = false; !seen;) {
      const raw = sign('sha256', both, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })
      const [r, s] = [raw.subarray(0, 32), raw.subarray(32)]
      seen = r[0] === 0
      const shorter = seen ? r.subarray(1) : r
      const response = { kind: 'ecdsa', nonce: mine, r: shorter, s } as const
      expect(await verifyX509popResponse({ kind: 'ecdsa', nonce }, response, ec.publicKey)).toBe(true)
    }
  })

  test('a challenge for another kind of key, and scalars longer than the curve, are refused', async () => {
    const ec = await cryptography.generateKeyPair('ec-p256')
    const answer = answerX509popChallenge({ kind: 'rsa', nonce }, ec.privateKey, nonce)
    await expect(answer).rejects.toThrowCode('ATTESTATION_INVALID', 'does not fit')
    const long = { kind: 'ecdsa', nonce, r: Buffer.alloc(33, 1), s: Buffer.alloc(32, 1) } as const
    expect(await verifyX509popResponse({ kind: 'ecdsa', nonce }, long, ec.publicKey)).toBe(false)
  })
})
