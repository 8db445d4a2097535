import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DecisionPruner } from '../../../server/store/decision-pruner.ts'
import type { DecisionRoom } from '../../../server/store/decision-rows.ts'
import { DecisionWriter, LOGS_MAX_PER_AGENT } from '../../../server/store/decision-writer.ts'
import { migrations } from '../../../server/store/schema.ts'
import { openSqliteStore, type StoreLimits } from '../../../server/store/sqlite.ts'
import type { Transaction } from '../../../server/store/store.ts'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log/log.ts'
import { aBatch, aCounter, aDecision, roomy } from '../../fakes/policy-objects.ts'
import { anEntry, creating, doing } from '../../fakes/store-objects.ts'

function database(upTo = Infinity): DatabaseSync {
  const db = new DatabaseSync(':memory:')
  for (const { sql, version } of migrations) if (version <= upTo) db.exec(sql)
  return db
}

/** What is entered as held, and what a count of every row says. */
function heldIn(db: DatabaseSync) {
  const rows = (sql: string) =>
    db
      .prepare(sql)
      .all()
      .map((row) => ({ ...row }))
  const all = `(SELECT 'record' AS kind, agent, holder, bytes FROM decision_records
    UNION ALL SELECT 'counter', agent, holder, bytes FROM decision_counters)`
  const sums = 'sum(bytes) AS bytes, count(*) AS items'
  return {
    entered: {
      holders: rows('SELECT kind, agent, number AS holder, bytes, items FROM decision_holders ORDER BY number'),
      agents: rows('SELECT kind, agent, bytes, items FROM decision_agents ORDER BY kind, agent'),
      totals: rows('SELECT kind, bytes, items FROM decision_totals WHERE items > 0 ORDER BY kind'),
    },
    counted: {
      holders: rows(`SELECT kind, agent, holder, ${sums} FROM ${all} GROUP BY kind, agent, holder ORDER BY holder`),
      agents: rows(`SELECT kind, agent, ${sums} FROM ${all} GROUP BY kind, agent ORDER BY kind, agent`),
      totals: rows(`SELECT kind, ${sums} FROM ${all} GROUP BY kind ORDER BY kind`),
    },
  }
}

const dropped = (db: DatabaseSync) =>
  Object.fromEntries(
    db
      .prepare('SELECT kind, dropped FROM decision_totals')
      .all()
      .map(({ kind, dropped: count }) => [kind, count]),
  )

describe('what is held of decisions', () => {
  const reports = fc.array(
    fc.record({
      agent: fc.constantFrom('a', 'b', 'c'),
      workload: fc.constantFrom('x', 'y', ''),
      records: fc.integer({ min: 0, max: 6 }),
      counters: fc.integer({ min: 0, max: 6 }),
      bytes: fc.integer({ min: 0, max: 9_000 }),
      isPruned: fc.boolean(),
    }),
    { maxLength: 25 },
  )
  const rooms = fc.record({
    maxRecords: fc.integer({ min: 1, max: 60 }),
    maxCounters: fc.integer({ min: 1, max: 60 }),
    maxBytes: fc.integer({ min: 20_000, max: 300_000 }),
    maxBytesPerAgent: fc.integer({ min: 10_000, max: 100_000 }),
  })

  test('is entered as it is, never more than there is room for, and nothing goes uncounted', () => {
    fc.assert(
      fc.property(reports, rooms, (all, room) => {
        const db = database()
        const [writer, pruner] = [new DecisionWriter(db), new DecisionPruner(db)]
        let sequence = 0
        let old = 0
        for (const [index, { agent, workload, records, counters, bytes, isPruned }] of all.entries()) {
          const batch = aBatch(index + 1, {
            ...{ agent, receivedMs: index },
            records: Array.from({ length: records }, () =>
              aDecision(++sequence, { workload, content: 'x'.repeat(bytes) }),
            ),
            counters: Array.from({ length: counters }, (_, n) =>
              aCounter(`${workload}${n}`, { day: index % 3, workload }),
            ),
          })
          writer.add(batch, room)
          checkFits(db, room)
          if (!isPruned) continue
          const before = recordsIn(db)
          pruner.prune({ beforeMs: index - 10, room })
          old += before - recordsIn(db)
        }
        const { entered, counted } = heldIn(db)
        expect(entered).toEqual(counted)
        expect(recordsIn(db) + old + Number(dropped(db)['record'])).toBe(sequence)
      }),
      { numRuns: 60 },
    )
  })

  test('is entered for what an earlier version has stored', () => {
    const db = database(3)
    const insert =
      db.prepare(`INSERT INTO decision_records (id, agent, log_id, sequence, at, received_at, facts, content)
      VALUES ('d', ?, 'log', ?, 1, 1, '{}', 'é')`)
    for (const [agent, sequence] of [['a', 1], ['a', 2], ['b', 1]] as const) insert.run(agent, sequence) // prettier-ignore
    db.exec(`INSERT INTO decision_logs VALUES ('a', 'log', 1, 1, 7, 8), ('b', 'log', 1, 1, 9007199254740991, 1)`)
    db.exec(`INSERT INTO decision_counters VALUES (1, 'a', 'k', 1, 1, 1, '{}')`)
    for (const { sql, version } of migrations) if (version > 3) db.exec(sql)
    const { entered, counted } = heldIn(db)
    expect(entered).toEqual(counted)
    expect(dropped(db)).toEqual({ record: Number.MAX_SAFE_INTEGER, counter: 9 })
    expect(entered.totals).toMatchObject([
      { kind: 'counter', items: 1 },
      { kind: 'record', items: 3, bytes: 3 * (2 + 2 + 2 + 256) },
    ])
  })

  test('an agent that begins logs without end has the newest of them remembered', () => {
    const db = database()
    const writer = new DecisionWriter(db)
    const add = (agent: string, log: number) =>
      writer.add(aBatch(1, { agent, logId: `log${log}`, receivedMs: log, counters: [aCounter('k')] }), roomy)
    add('quiet', 0)
    for (let log = 0; log < LOGS_MAX_PER_AGENT + 10; log++) add('loud', log)
    const counted = () => db.prepare("SELECT count FROM decision_counters WHERE agent = 'loud'").get()?.['count']
    const logs = db.prepare('SELECT agent, count(*) AS count FROM decision_logs GROUP BY agent ORDER BY agent').all()
    expect(logs.map(({ agent, count }) => [agent, count])).toEqual([
      ['loud', LOGS_MAX_PER_AGENT],
      ['quiet', 1],
    ])
    const before = counted()
    add('loud', LOGS_MAX_PER_AGENT + 9)
    expect(counted()).toBe(before)
  })

  test('a flood of one workload looks at no more rows than it removes', () => {
    const db = database()
    const writer = new DecisionWriter(db)
    const plan = (sql: string) =>
      db
        .prepare(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => String(detail))
    writer.add(aBatch(1, { records: [aDecision(1)] }), roomy)
    expect(plan('SELECT position, bytes FROM decision_records WHERE holder = 1 ORDER BY position')).toEqual([
      'SEARCH decision_records USING INDEX decision_records_by_holder (holder=?)',
    ])
    expect(plan('SELECT day, bytes FROM decision_counters WHERE holder = 1 ORDER BY day')).toEqual([
      'SEARCH decision_counters USING INDEX decision_counters_by_holder (holder=?)',
    ])
    const largest = "SELECT agent, bytes FROM decision_agents WHERE kind = 'record' ORDER BY bytes DESC LIMIT 2"
    expect(plan(largest)).toEqual(['SEARCH decision_agents USING COVERING INDEX decision_agents_by_bytes (kind=?)'])
  })
})

const recordsIn = (db: DatabaseSync): number =>
  Number(db.prepare('SELECT count(*) AS count FROM decision_records').get()?.['count'])

function checkFits(db: DatabaseSync, room: DecisionRoom): void {
  const { agents, totals } = heldIn(db).counted
  for (const { bytes } of agents) expect(bytes).toBeLessThanOrEqual(room.maxBytesPerAgent)
  for (const { kind, bytes, items } of totals) {
    expect(bytes).toBeLessThanOrEqual(room.maxBytes)
    expect(items).toBeLessThanOrEqual(kind === 'record' ? room.maxRecords : room.maxCounters)
  }
}

describe('while agents flood the store with decisions', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-store-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const open = (limits: Partial<StoreLimits>) =>
    openSqliteStore({ path: join(folder, 'server.db'), clock: systemClock, log: silentLog, limits })
  const report = (agent: string, bytes: number): Transaction => {
    const batch = aBatch(1, { agent, records: [aDecision(1, { content: 'x'.repeat(bytes) })] })
    return doing({ kind: 'decisions.add', batch, room: roomy })
  }

  test('changes find room in the queue', async () => {
    await using store = await open({ queueBytes: 100_000, queueDecisionBytes: 20_000 })
    const flood = Array.from({ length: 20 }, (_, index) => store.commit(report(`agent ${index}`, 9_000)))
    const change = store.commit(creating(anEntry('e')))
    const refused = (await Promise.allSettled(flood)).flatMap((one) => (one.status === 'rejected' ? [one.reason] : []))
    expect(refused.length).toBe(18)
    for (const error of refused) expect(error).toThrowCode('STORE_BUSY', 'Cannot take more decisions')
    expect(await change).toMatchObject({ ok: true })
    expect(await store.commit(report('agent 19', 9_000))).toMatchObject({ ok: true })
  })

  test('a change that shares the flush of one that the disk has no room for is made', async () => {
    await using store = await open({ databaseBytes: 1024 * 1024 })
    const large = store.commit(report('agent', 2 * 1024 * 1024))
    const change = store.commit(creating(anEntry('e')))
    await expect(large).rejects.toThrowCode('STORE_FULL')
    expect(await change).toMatchObject({ ok: true })
    expect((await store.snapshot()).entries.map(({ id }) => id)).toEqual(['e'])
  })
})
