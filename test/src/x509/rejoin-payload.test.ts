import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import {
  decodeLastKey,
  decodeRejoinChallenge,
  decodeRejoinPayload,
  decodeRejoinResponse,
  encodeRejoinChallenge,
  encodeRejoinPayload,
  encodeRejoinResponse,
  rejoinSignedBytes,
} from '../../../src/x509/rejoin-payload.ts'

const agentId = SpiffeId.parse('spiffe://example.org/spire/agent/join_token/a')

test('what is printed is read back', () => {
  const payload = { agentId, lastSpki: randomBytes(91) }
  const read = decodeRejoinPayload(encodeRejoinPayload(payload))
  expect([read.agentId.toString(), read.lastSpki]).toEqual([agentId.toString(), payload.lastSpki])
  const nonce = randomBytes(32)
  expect(decodeRejoinChallenge(encodeRejoinChallenge(nonce))).toEqual(nonce)
  const response = { nonce, signature: randomBytes(70) }
  expect(decodeRejoinResponse(encodeRejoinResponse(response))).toEqual(response)
})

test('on any bytes a decoder returns a value or throws a SallyportError', () => {
  const bytes = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array().map((array) => Buffer.from(array)),
  )
  fc.assert(
    fc.property(bytes, (input) => {
      for (const decode of [decodeRejoinPayload, decodeRejoinChallenge, decodeRejoinResponse, decodeLastKey]) {
        try {
          decode(input)
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }
    }),
  )
})

test('what is signed differs with the agent, each nonce and the new key', () => {
  const base = {
    agentId,
    challengeNonce: Buffer.alloc(32, 1),
    responseNonce: Buffer.alloc(32, 2),
    newSpki: Buffer.from('k'),
  }
  const variants = [
    base,
    { ...base, agentId: SpiffeId.parse('spiffe://example.org/spire/agent/join_token/b') },
    { ...base, challengeNonce: Buffer.alloc(32, 3) },
    { ...base, responseNonce: Buffer.alloc(32, 3) },
    { ...base, newSpki: Buffer.from('l') },
  ]
  expect(new Set(variants.map((variant) => rejoinSignedBytes(variant).toString('hex'))).size).toBe(variants.length)
  expect(() => rejoinSignedBytes({ ...base, challengeNonce: Buffer.alloc(31) })).toThrowCode(
    'ATTESTATION_INVALID',
    '32',
  )
})
