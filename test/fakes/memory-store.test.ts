import { describe, expect, test } from 'vitest'
import { policyStoreContract } from '../contracts/policy-store.ts'
import { storeContract } from '../contracts/store.ts'
import { MemoryStore } from './memory-store.ts'
import { anEntry, creating } from './store-objects.ts'

for (const contract of [storeContract, policyStoreContract]) {
  contract('MemoryStore', () => ({
    open: async (now) => new MemoryStore({ clock: { now } }),
    reopen: async (store) => (store as MemoryStore).reopened(),
    cleanUp: async () => undefined,
  }))
}

describe('MemoryStore', () => {
  test('loses a group when it crashes before the commit, and only the answer when after', async () => {
    const crash = (): never => {
      throw new Error('crash')
    }
    const before = new MemoryStore({ beforeCommit: crash })
    await expect(before.commit(creating(anEntry('a')))).rejects.toThrow('crash')
    expect((await before.reopened({}).snapshot()).entries.length).toBe(0)
    const after = new MemoryStore({ afterCommit: crash })
    await expect(after.commit(creating(anEntry('a')))).rejects.toThrow('crash')
    expect((await after.reopened({}).snapshot()).entries.length).toBe(1)
  })
})
