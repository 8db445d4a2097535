import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { algorithmOf } from '../../src/key/signature-algorithm.ts'
import type { StoredKeyType, StoredSigner } from './key-store.ts'

/** A private key in the memory of this process. */
export interface StoredKeyPair<T extends StoredKeyType = StoredKeyType> {
  readonly type: T
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export async function generateStoredKeyPair<T extends StoredKeyType>(
  type: T,
  cryptography: Cryptography,
): Promise<StoredKeyPair<T>> {
  const kind: StoredKeyType = type
  // An Ed25519 key takes microseconds, so it needs no thread.
  const pair = kind === 'ed25519' ? generateKeyPairSync('ed25519') : await cryptography.generateKeyPair(kind)
  return { type, publicKey: pair.publicKey, privateKey: pair.privateKey }
}

export function storedSignerOf<T extends StoredKeyType>(
  { type, publicKey, privateKey }: StoredKeyPair<T>,
  cryptography: Cryptography,
): StoredSigner<T> {
  return {
    keyType: type,
    publicKey,
    sign: (algorithm, data, encoding) => cryptography.sign(algorithm, privateKey, data, encoding),
  }
}

/** The algorithm that a key of this type signs with, Ed25519 included. */
export const storedAlgorithmOf = (type: StoredKeyType) => (type === 'ed25519' ? 'EdDSA' : algorithmOf(type))
