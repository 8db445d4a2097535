import { describe, expect, test } from 'vitest'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { isAuthoritySigner, type KeyStore } from '../../../server/keys/key-store.ts'
import { storedAlgorithmOf } from '../../../server/keys/stored-key-pair.ts'

/** What every key store does. */
export function keyStoreContract(name: string, open: () => Promise<KeyStore>): void {
  describe(name, () => {
    test.for(['ec-p256', 'ec-p384', 'rsa-2048', 'ed25519'] as const)(
      'makes a key of %s that signs',
      async (keyType) => {
        const store = await open()
        const made = await store.generate('one', keyType)
        const signer = await store.signer('one')
        expect(signer?.keyType).toBe(keyType)
        expect(isAuthoritySigner(signer)).toBe(keyType !== 'ed25519')
        const data = Buffer.from('data')
        const algorithm = storedAlgorithmOf(keyType)
        const signature = await signer!.sign(algorithm, data, 'der')
        expect(await cryptography.verify(algorithm, made.publicKey, data, signature, 'der')).toBe(true)
      },
    )

    test('knows its keys by name', async () => {
      const store = await open()
      await store.generate('two', 'ec-p256')
      await store.generate('one', 'ec-p256')
      expect(await store.names()).toEqual(['one', 'two'])
      expect(await store.signer('three')).toBeUndefined()
      await store.remove('two')
      await store.remove('three')
      expect(await store.names()).toEqual(['one'])
    })

    test('never writes over a key', async () => {
      const store = await open()
      const { publicKey } = await store.generate('one', 'ec-p256')
      await expect(store.generate('one', 'ec-p256')).rejects.toThrowCode('KEY_STORE_FAILED', 'it exists already')
      expect((await store.signer('one'))?.publicKey.equals(publicKey)).toBe(true)
    })

    test.for(['', '../one', 'One', 'a/b', '.', '-a', 'a'.repeat(101)])('takes no name like %j', async (wrong) => {
      const store = await open()
      await expect(store.generate(wrong, 'ec-p256')).rejects.toThrow(TypeError)
    })
  })
}
