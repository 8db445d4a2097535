import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { checkKeyName, type KeyStore, type StoredKeyType, type StoredSigner } from './key-store.ts'
import { generateStoredKeyPair, storedSignerOf } from './stored-key-pair.ts'

/** Keys that are gone when the process ends: every start makes new authorities. */
export function memoryKeyStore(cryptography: Cryptography): KeyStore {
  const signers = new Map<string, StoredSigner>()
  return {
    async generate<T extends StoredKeyType>(name: string, keyType: T) {
      checkKeyName(name)
      const signer = storedSignerOf(await generateStoredKeyPair(keyType, cryptography), cryptography)
      if (signers.has(name)) throw new SallyportError('KEY_STORE_FAILED', `Cannot make key ${name}: it exists already`)
      signers.set(name, signer)
      return signer
    },
    signer: async (name) => signers.get(name),
    remove: async (name) => void signers.delete(name),
    names: async () => [...signers.keys()].toSorted(),
  }
}
