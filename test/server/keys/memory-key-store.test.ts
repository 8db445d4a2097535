import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { memoryKeyStore } from '../../../server/keys/memory-key-store.ts'
import { keyStoreContract } from './key-store-contract.ts'

keyStoreContract('a key store in memory', async () => memoryKeyStore(cryptography))
