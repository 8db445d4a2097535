import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log/log.ts'
import { verifyAudit } from '../../../server/audit/verify-audit.ts'
import { openSqliteStore } from '../../../server/store/sqlite.ts'

const ROUNDS_WITHIN_MS = 5_000
const MIN_ROUNDS = 3

let folder: string
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'sallyport-store-'))))
afterAll(() => rmSync(folder, { recursive: true }))

/** Runs the committing process and kills it a random moment after its first acknowledgement. */
async function killWhileCommitting(path: string, round: number): Promise<string[]> {
  const program = new URL('./killed-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [program, path, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const afterMs = Math.random() * 150
  let printed = ''
  child.stdout.on('data', (chunk: Buffer) => {
    if (printed === '') setTimeout(() => child.kill('SIGKILL'), afterMs)
    printed += chunk.toString()
  })
  await new Promise((resolve) => child.on('close', resolve))
  // What follows the last line feed was cut by the kill.
  return printed.split('\n').slice(0, -1)
}

test('a process killed with SIGKILL at random points loses nothing that it acknowledged', async () => {
  const path = join(folder, 'server.db')
  const acknowledged = new Set<string>()
  const startedMs = performance.now()
  for (let round = 0; round < MIN_ROUNDS || performance.now() - startedMs < ROUNDS_WITHIN_MS; round++) {
    for (const id of await killWhileCommitting(path, round)) acknowledged.add(id)
    await using store = await openSqliteStore({ path, clock: systemClock, log: silentLog })
    const { entries, revision } = await store.snapshot()
    const stored = new Set(entries.map(({ id }) => id))
    expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([])
    expect(revision).toBe(stored.size)
    expect(await verifyAudit(store, [])).toMatchObject({ problems: [], records: stored.size })
  }
  expect(acknowledged.size).toBeGreaterThan(0)
  using db = new DatabaseSync(path)
  expect(db.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
})
