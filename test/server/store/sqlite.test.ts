import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log/log.ts'
import { openSqliteStore } from '../../../server/store/sqlite.ts'
import { policyStoreContract } from '../../contracts/policy-store.ts'
import { storeContract, type StoreUnderTest } from '../../contracts/store.ts'

const sqlite = (): StoreUnderTest => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-store-'))
  let open = () => openSqliteStore({ path: join(folder, 'server.db'), clock: systemClock, log: silentLog })
  return {
    open(now) {
      const clock = { ...systemClock, now }
      open = () => openSqliteStore({ path: join(folder, 'server.db'), clock, log: silentLog })
      return open()
    },
    async reopen(store) {
      await store[Symbol.asyncDispose]()
      return await open()
    },
    cleanUp: async () => rmSync(folder, { recursive: true }),
  }
}

storeContract('openSqliteStore()', sqlite)
policyStoreContract('openSqliteStore()', sqlite)
