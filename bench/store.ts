import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock } from '../src/clock.ts'
import { silentLog } from '../src/log/log.ts'
import { entryCreated } from '../server/audit/entry-events.ts'
import { verifyAudit } from '../server/audit/verify-audit.ts'
import { openSqliteStore } from '../server/store/sqlite.ts'
import type { Store, Transaction } from '../server/store/store.ts'
import { storedEntry } from './entries.ts'

/*
 * How fast is the store alone: durable entries per second in batches of 50, the snapshot that a start reads, following, and
 * single commits. On the disk of the current folder (or BENCH_FOLDER), because a folder in memory makes every flush free.
 */
const ENTRIES = 100_000
const BATCH = 50

const folder = mkdtempSync(join(resolve(process.env['BENCH_FOLDER'] ?? '.'), '.bench-store-'))
const path = join(folder, 'server.db')
const open = (): Promise<Store> => openSqliteStore({ path, clock: systemClock, log: silentLog })

function creation(index: number): Transaction {
  const entry = storedEntry(index)
  const deed = { at: systemClock.now(), callerId: 'local uid 0' }
  return { mutations: [{ kind: 'entry.create', entry }], audit: [entryCreated(deed, entry)] }
}

/** Runs `operations` operations and prints their rate and the CPU time of this process, its threads included. */
async function measure(question: string, operations: number, run: () => Promise<unknown>): Promise<void> {
  const [startedMs, cpuBefore] = [performance.now(), process.cpuUsage()]
  await run()
  const { user, system } = process.cpuUsage(cpuBefore)
  const seconds = (performance.now() - startedMs) / 1000
  const rate = Math.round(operations / seconds).toLocaleString('en')
  const cpu = ((user + system) / operations).toFixed(1)
  print(question, `${seconds.toFixed(3)} s`, `${rate}/s`, `${cpu} µs CPU each`)
}

const print = (question: string, ...figures: string[]): void =>
  console.log(`${question.padEnd(52)}${figures.map((figure) => figure.padStart(14)).join('')}`)

async function fill(store: Store, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += BATCH) {
    await store.commitAll(Array.from({ length: BATCH }, (_, index) => creation(first + index)))
  }
}

async function follow(store: Store, revisions: number): Promise<void> {
  const stop = new AbortController()
  for await (const portion of store.watch(0, stop.signal)) if (portion.at(-1)?.revision === revisions) stop.abort()
}

async function main(): Promise<void> {
  const { node, sqlite, v8 } = process.versions
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, Linux ${release()}, Node ${node}, SQLite ${sqlite ?? '?'}, V8 ${v8}`,
  )
  console.log(
    spawnSync('openssl', ['speed', '-seconds', '1', 'ecdsap256'], { encoding: 'utf8' })
      .stdout?.trim()
      .split('\n')
      .at(-1) ?? '',
  )
  const store = await open()
  await measure('entries created in batches of 50, one caller', ENTRIES / 2, () => fill(store, 0, ENTRIES / 2))
  const quarters = [0, 1, 2, 3].map((quarter) => ENTRIES / 2 + (quarter * ENTRIES) / 8)
  await measure('entries created in batches of 50, four callers', ENTRIES / 2, () =>
    Promise.all(quarters.map((from) => fill(store, from, from + ENTRIES / 8))),
  )
  await measure('audit-only commits of one record, 16 callers', 16_000, () =>
    Promise.all(
      Array.from({ length: 16 }, async (_, caller) => {
        for (let index = 0; index < 1000; index++) {
          const { audit } = creation(caller * 1000 + index)
          await store.commit({ mutations: [], audit })
        }
      }),
    ),
  )
  await measure('single commits, one caller', 1000, async () => {
    for (let index = 0; index < 1000; index++) await store.commit(creation(2 * ENTRIES + index))
  })
  await measure('revisions followed from the log', ENTRIES + 1000, () => follow(store, ENTRIES + 1000))
  await measure('audit records verified', ENTRIES + 17_000, () => verifyAudit(store, []))
  await store[Symbol.asyncDispose]()
  await measure('opened and everything read', ENTRIES + 1000, async () => {
    await using again = await open()
    await again.snapshot()
  })
}

try {
  await main()
} finally {
  rmSync(folder, { recursive: true })
}
