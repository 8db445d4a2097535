import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log/log.ts'
import { verifyAudit } from '../../../server/audit/verify-audit.ts'
import { openSqliteStore } from '../../../server/store/sqlite.ts'
import type { Revision } from '../../../server/store/store.ts'
import { startWriterWorker } from '../../../server/store/writer-thread.ts'
import { anEntry, anEvent, creating } from '../../fakes/store-objects.ts'

let folder: string
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'sallyport-store-'))))
afterAll(() => rmSync(folder, { recursive: true }))

test('the writer thread, terminated at random points, loses, repeats and hides nothing', async () => {
  const workers: Worker[] = []
  const options = {
    path: join(folder, 'terminate.db'),
    clock: systemClock,
    log: silentLog,
    startWorker: (start: Parameters<typeof startWriterWorker>[0]): Worker => {
      const worker = startWriterWorker(start)
      workers.push(worker)
      return worker
    },
  }
  const store = await openSqliteStore(options)
  const watching = new AbortController()
  const watched: Revision[] = []
  const watcher = (async () => {
    for await (const revisions of store.watch(0, watching.signal)) watched.push(...revisions)
  })()
  const acknowledged = new Set<string>()
  const stop = new AbortController()
  const caller = async (who: number): Promise<void> => {
    for (let index = 0; !stop.signal.aborted; index++) {
      const id = `${who}-${index}`
      const outcome = await store.commit({
        ...creating(anEntry(id)),
        audit: [anEvent('entry.created', { entryId: id })],
      })
      // "exists" would mean that a group was made twice.
      expect(outcome).toMatchObject({ ok: true })
      acknowledged.add(id)
    }
  }
  const callers = Array.from({ length: 8 }, (_, who) => caller(who))
  for (let round = 0; round < 40; round++) {
    const before = acknowledged.size
    // Every fourth time the writer may still be starting; otherwise it has done something since the last time.
    if (round % 4 !== 0) while (acknowledged.size === before) await wait(1)
    await wait(Math.random() * 20)
    await workers.at(-1)?.terminate()
  }
  stop.abort()
  await Promise.all(callers)
  const { entries, revision } = await store.snapshot()
  expect(workers.length).toBeGreaterThan(10)
  expect(new Set(entries.map(({ id }) => id))).toEqual(acknowledged)
  expect(revision).toBe(acknowledged.size)
  await wait(0)
  watching.abort()
  await watcher
  expect(watched.map((row) => row.revision)).toEqual(Array.from({ length: revision }, (_, index) => index + 1))
  expect(await verifyAudit(store, [])).toMatchObject({ problems: [], records: acknowledged.size })
  await store[Symbol.asyncDispose]()
})

test('a change that kills every writer is given up, was not made, and the store goes on', async () => {
  let deadly = true
  const startWorker: typeof startWriterWorker = (start) => {
    const worker = startWriterWorker(start)
    const post = worker.postMessage.bind(worker)
    worker.postMessage = (message: unknown) => void (deadly ? worker.terminate() : post(message))
    return worker
  }
  const path = join(folder, 'deadly.db')
  await using store = await openSqliteStore({ path, clock: systemClock, log: silentLog, startWorker })
  await expect(store.commit(creating(anEntry('a')))).rejects.toThrowCode('STORE_FAILED', '3 times at this change')
  deadly = false
  expect(await store.commit(creating(anEntry('b')))).toMatchObject({ ok: true, revision: 1 })
})

test('a writer that does not start is a failure of the call, and tried again with the next', async () => {
  const workers: Worker[] = []
  let broken = false
  const startWorker: typeof startWriterWorker = (start) => {
    const worker = broken ? new Worker('process.exit(1)', { eval: true }) : startWriterWorker(start)
    workers.push(worker)
    return worker
  }
  const path = join(folder, 'start.db')
  await using store = await openSqliteStore({ path, clock: systemClock, log: silentLog, startWorker })
  broken = true
  await workers[0]?.terminate()
  await expect(store.commit(creating(anEntry('a')))).rejects.toThrowCode('STORE_FAILED', 'Cannot start the writer')
  broken = false
  expect(await store.commit(creating(anEntry('b')))).toMatchObject({ ok: true, revision: 1 })
})

test('a change is unknown when its writer died and no other can be started', async () => {
  let broken = false
  const startWorker: typeof startWriterWorker = (start) => {
    if (broken) return new Worker('process.exit(1)', { eval: true })
    const worker = startWriterWorker(start)
    worker.postMessage = () => {
      broken = true
      void worker.terminate()
    }
    return worker
  }
  const path = join(folder, 'unknown.db')
  await using store = await openSqliteStore({ path, clock: systemClock, log: silentLog, startWorker })
  await expect(store.commit(creating(anEntry('a')))).rejects.toThrowCode('STORE_OUTCOME_UNKNOWN')
})

test('a group whose answer was lost with its writer is answered from the database, not made again', async () => {
  let isLost = false
  const startWorker: typeof startWriterWorker = (start) => {
    const worker = startWriterWorker(start)
    const on = worker.on.bind(worker) as (event: string, listener: (value: unknown) => void) => Worker
    const lose = (listener: (value: unknown) => void) => (message: unknown) => {
      if (isLost || (message as { kind: string }).kind !== 'written') return listener(message)
      isLost = true
      void worker.terminate()
    }
    worker.on = ((event: string, listener: (value: unknown) => void) =>
      on(event, event === 'message' ? lose(listener) : listener)) as typeof worker.on
    return worker
  }
  const path = join(folder, 'recovered.db')
  await using store = await openSqliteStore({ path, clock: systemClock, log: silentLog, startWorker })
  const outcomes = await store.commitAll([
    { ...creating(anEntry('a')), audit: [anEvent('entry.created')] },
    creating(anEntry('a')),
    creating(anEntry('b')),
  ])
  expect(isLost).toBe(true)
  expect(outcomes).toMatchObject([
    { ok: true, revision: 1 },
    { ok: false, reason: 'exists', existingEntry: { id: 'a' } },
    { ok: true, revision: 2 },
  ])
  expect((await store.changesSince(0))?.map(({ revision }) => revision)).toEqual([1, 2])
  expect(store.auditHead().sequence).toBe(1)
  expect(await store.commit(creating(anEntry('c')))).toMatchObject({ ok: true, revision: 3 })
})
