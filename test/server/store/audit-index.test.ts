import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log/log.ts'
import type { AuditEvent, AuditQuery } from '../../../server/audit/record.ts'
import { type Migration, migrations } from '../../../server/store/schema.ts'
import { openSqliteStore } from '../../../server/store/sqlite.ts'
import type { Store } from '../../../server/store/store.ts'

const RECORDS = 5_000
const IDS = 7
const SERIALS = 1_900

const folder = mkdtempSync(join(tmpdir(), 'sallyport-audit-index-'))
const open = (steps: readonly Migration[]): Promise<Store> =>
  openSqliteStore({ path: join(folder, 'server.db'), clock: systemClock, log: silentLog, migrations: steps })

/** Of every ten, one has no id and no serial number. */
const eventOf = (index: number): AuditEvent => ({
  type: index % 3 === 0 ? 'x509-svid.issued' : 'jwt-svid.issued',
  at: new Date(1_000 * index),
  facts:
    index % 10 === 0
      ? { index }
      : { index, spiffeId: `spiffe://example.org/${index % IDS}`, serialNumber: String(index % SERIALS) },
})

async function write(store: Store, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 500) {
    await store.commit({ mutations: [], audit: Array.from({ length: 500 }, (_, index) => eventOf(at + index)) })
  }
}

let store: Store
beforeAll(async () => {
  const earlier = await open(migrations.filter(({ version }) => version < 3))
  await write(earlier, 0, RECORDS / 2)
  await earlier[Symbol.asyncDispose]()
  store = await open(migrations)
  await write(store, RECORDS / 2, RECORDS)
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const sequences = async (query: AuditQuery): Promise<number[]> =>
  (await Array.fromAsync(store.audit(query))).map(({ sequence }) => sequence)

describe('the audit journal by id and by serial number', () => {
  const expected = ({ spiffeId, serialNumber, type, afterSequence = 0 }: AuditQuery): number[] =>
    Array.from({ length: RECORDS }, (_, index) => index + 1).filter((sequence) => {
      const { type: its, facts } = eventOf(sequence - 1)
      return (
        sequence > afterSequence &&
        (spiffeId === undefined || facts['spiffeId'] === spiffeId) &&
        (serialNumber === undefined || facts['serialNumber'] === serialNumber) &&
        (type === undefined || its === type)
      )
    })

  test.for<[string, AuditQuery]>([
    ['an id', { spiffeId: 'spiffe://example.org/3' }],
    ['a serial number', { serialNumber: '17' }],
    ['both', { spiffeId: 'spiffe://example.org/3', serialNumber: '17' }],
    ['an id and a type', { spiffeId: 'spiffe://example.org/3', type: 'x509-svid.issued' }],
    ['an id, from the last record of a run on', { spiffeId: 'spiffe://example.org/0', afterSequence: 1023 }],
    ['an id, from the first record of a run on', { spiffeId: 'spiffe://example.org/1', afterSequence: 1024 }],
    ['an id that is nowhere', { spiffeId: 'spiffe://example.org/nowhere' }],
  ])('finds what a walk through the whole finds: %s', async ([, query]) => {
    const all = expected(query)
    expect(await sequences(query)).toEqual(all)
    expect(await sequences({ ...query, limit: 3 })).toEqual(all.slice(0, 3))
    expect(await sequences({ ...query, limit: 3, newest: true })).toEqual(all.slice(-3))
    expect(await sequences({ ...query, limit: RECORDS, newest: true })).toEqual(all)
  })

  test('does not gather all that there is of an id to return a few', async () => {
    const prepared = vi.spyOn(DatabaseSync.prototype, 'prepare')
    const spiffeId = 'spiffe://example.org/3'
    await sequences({ spiffeId, limit: 3 })
    await sequences({ spiffeId, limit: 3, newest: true })
    const statements = prepared.mock.calls.map(([sql]) => sql).filter((sql) => sql.includes('FROM audit_records'))
    prepared.mockRestore()
    using db = new DatabaseSync(join(folder, 'server.db'), { readOnly: true })
    const plans = statements.flatMap((sql) => db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all())
    expect(plans.length).toBeGreaterThanOrEqual(2)
    expect(JSON.stringify(plans)).not.toContain('TEMP B-TREE')
  })
})
