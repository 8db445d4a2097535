import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log/log.ts'
import { openSqliteStore } from '../../../server/store/sqlite.ts'
import { anEntry, anEvent, creating } from '../../fakes/store-objects.ts'

/* Commits for ever and prints each id when it is acknowledged; `killed-process.test.ts` kills it. */
const [path = '', round = '0'] = process.argv.slice(2)
const store = await openSqliteStore({ path, clock: systemClock, log: silentLog })
await Promise.all(
  Array.from({ length: 4 }, async (_, who) => {
    for (let index = 0; ; index++) {
      const id = `r${round}-${who}-${index}`
      await store.commit({ ...creating(anEntry(id)), audit: [anEvent('entry.created', { entryId: id })] })
      process.stdout.write(`${id}\n`)
    }
  }),
)
