import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { HeartbeatReader } from '../../../agent/upstream/heartbeats.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import { heartbeatContentType } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import type { Heartbeat } from '../../../src/wire/messages/sallyport-sync-v1.ts'

const keys = generateKeyPairSync('ed25519')
const NONCE = Buffer.alloc(32, 9)

function heartbeat(
  serverTimeMs: number,
  fields: Partial<Heartbeat> & { readonly key?: KeyObject; readonly nonce?: Buffer } = {},
): Heartbeat {
  const publicKey = keys.publicKey.export({ format: 'der', type: 'spki' })
  const checkpoint = { sequence: 5, hash: Buffer.alloc(32, 1) }
  const content = encodeMessage(heartbeatContentType, {
    epoch: 'e',
    revision: 7,
    serverTimeMs,
    fastLaneSequence: 0,
    checkpoint,
    nonce: fields.nonce ?? Buffer.alloc(0),
    ...{ policyEpoch: 2, policyRevision: 412 },
  })
  return {
    content,
    signature: sign(null, content, fields.key ?? keys.privateKey),
    keyId: createHash('sha256').update(publicKey).digest(),
    publicKey,
    ...fields,
  }
}

describe('HeartbeatReader', () => {
  test('SE-22 reads what was signed: revision, time and checkpoint', async () => {
    const verified = await new HeartbeatReader(cryptography, NONCE).verify(heartbeat(1000))
    expect(verified).toMatchObject({ epoch: 'e', revision: 7, serverTime: new Date(1000) })
    expect(verified.checkpoint).toEqual({ sequence: 5, hash: Buffer.alloc(32, 1) })
  })

  test('takes the key from the first heartbeat of a stream alone', async () => {
    const reader = new HeartbeatReader(cryptography, NONCE)
    await expect(reader.verify(heartbeat(1000, { publicKey: Buffer.alloc(0) }))).rejects.toThrowCode(
      'HEARTBEAT_INVALID',
    )
    await reader.verify(heartbeat(1000))
    await reader.verify(heartbeat(2000, { publicKey: Buffer.alloc(0) }))
  })

  const other = generateKeyPairSync('ed25519')
  const otherSpki = other.publicKey.export({ format: 'der', type: 'spki' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'der', type: 'spki' })
  const id = (spki: Buffer) => createHash('sha256').update(spki).digest()

  test.for([
    ['its signature is wrong', { signature: Buffer.alloc(64) }],
    ['its signature is wrong', { key: other.privateKey }],
    ['its key is not the one that it names', { keyId: Buffer.alloc(32) }],
    ['its key is not Ed25519', { publicKey: rsa, keyId: id(rsa) }],
    ['its key cannot be read', { publicKey: Buffer.from('x'), keyId: id(Buffer.from('x')) }],
    ['it is too long', { content: Buffer.alloc(5000) }],
  ] as const)('SE-20 SE-22 refuses: %s', async ([why, fields]) => {
    await expect(new HeartbeatReader(cryptography, NONCE).verify(heartbeat(1000, fields))).rejects.toThrowCode(
      'HEARTBEAT_INVALID',
      why,
    )
  })

  test('SE-41: only a stream whose first heartbeat names the hello of it is fresh', async () => {
    const live = new HeartbeatReader(cryptography, NONCE)
    expect(await live.verify(heartbeat(1000, { nonce: NONCE }))).toMatchObject({ isFresh: true, policyRevision: 412 })
    expect(await live.verify(heartbeat(2000))).toMatchObject({ isFresh: true })
    // The same one again says nothing that was not known.
    expect(await live.verify(heartbeat(2000))).toMatchObject({ isFresh: false })

    const replayed = new HeartbeatReader(cryptography, NONCE)
    expect(await replayed.verify(heartbeat(1000, { nonce: Buffer.alloc(32, 1) }))).toMatchObject({ isFresh: false })
    expect(await replayed.verify(heartbeat(2000))).toMatchObject({ isFresh: false })
    expect(await replayed.verify(heartbeat(3000, { nonce: NONCE }))).toMatchObject({ isFresh: false })
  })

  test('SE-20 refuses a time before the last one, and another key within a stream', async () => {
    const reader = new HeartbeatReader(cryptography, NONCE)
    await reader.verify(heartbeat(2000))
    await expect(reader.verify(heartbeat(1999))).rejects.toThrowCode('HEARTBEAT_INVALID', 'its time is before')
    const swapped = heartbeat(3000, { key: other.privateKey, publicKey: otherSpki, keyId: id(otherSpki) })
    await expect(reader.verify(swapped)).rejects.toThrowCode('HEARTBEAT_INVALID', 'another key')
  })
})
