import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { checkpointSigner, verifyCheckpoint, type CheckpointKey } from '../../../server/audit/checkpoint.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { anInstant } from '../../fakes/store-objects.ts'

const keyOf = (keys: { publicKey: KeyObject; privateKey: KeyObject }): CheckpointKey => ({
  publicKey: keys.publicKey,
  sign: (algorithm, data, encoding) => cryptography.sign(algorithm, keys.privateKey, data, encoding),
})

describe('a checkpoint', () => {
  test.for([
    ['Ed25519', () => generateKeyPairSync('ed25519')],
    ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ] as const)('SE-22 signed with %s is verified, and no field of it can be changed', async ([, makeKeys]) => {
    const key = keyOf(makeKeys())
    const hash = Buffer.alloc(32, 7)
    const checkpoint = await checkpointSigner('epoch-1', key).sign({ sequence: 9, hash }, anInstant(0))
    expect(await verifyCheckpoint(checkpoint, key.publicKey, cryptography)).toBe(true)
    for (const change of [
      { epoch: 'epoch-2' },
      { sequence: 8 },
      { hash: Buffer.alloc(32, 8) },
      { at: anInstant(1) },
      { signature: Buffer.alloc(64) },
    ]) {
      expect(await verifyCheckpoint({ ...checkpoint, ...change }, key.publicKey, cryptography)).toBe(false)
    }
    expect(await verifyCheckpoint(checkpoint, makeKeys().publicKey, cryptography)).toBe(false)
  })

  test('is not signed with other keys', () => {
    const key = keyOf(generateKeyPairSync('rsa', { modulusLength: 2048 }))
    expect(() => checkpointSigner('epoch-1', key)).toThrowCode('KEY_REFUSED')
  })
})
