import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, test } from 'vitest'
import { pruneJournals } from '../../../server/store/journal-pruner.ts'
import { migrations } from '../../../server/store/schema.ts'

const OLD = 1_000
const YOUNG = 5_000
const LIMIT = 2_000

let db: DatabaseSync
beforeEach(() => {
  db = new DatabaseSync(':memory:')
  for (const { sql } of migrations) db.exec(sql)
  db.exec(`INSERT INTO state VALUES (1, 'e', 'f', 0, 0, '[]', 0, x'00', 0, x'00')`)
})

const count = (table: string): number => Number(db.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n'])

function addLink(first: number, records: number, at: number): void {
  const last = first + records - 1
  db.prepare('INSERT INTO audit_links VALUES (?, ?, ?, ?)').run(last, first, at, Buffer.from(`${last}`))
  const insert = db.prepare(`INSERT INTO audit_records VALUES (?, ?, 't', NULL, NULL, '{}', ?)`)
  for (let sequence = first; sequence <= last; sequence++) insert.run(sequence, at, last)
}

describe('pruneJournals()', () => {
  test('takes about as many audit records at a time as the others can wait for, in whole links', () => {
    for (let link = 0; link < 5; link++) addLink(1 + link * 3000, 3000, OLD)
    addLink(15_001, 10, YOUNG)
    const left: number[] = []
    let more = true
    while (more) {
      more = pruneJournals(db, LIMIT, LIMIT)
      left.push(count('audit_records'))
    }
    expect(left).toEqual([9010, 3010, 10])
    expect(db.prepare('SELECT audit_start_sequence AS s FROM state').get()?.['s']).toBe(15_000)
    expect(count('audit_links')).toBe(1)
  })

  test('a link that is larger than that goes as a whole', () => {
    addLink(1, 7000, OLD)
    expect(pruneJournals(db, LIMIT, LIMIT)).toBe(false)
    expect([count('audit_records'), count('audit_links')]).toEqual([0, 0])
  })

  test('takes the change log up to the first young row, and says when more is left', () => {
    const insert = db.prepare(`INSERT INTO change_log VALUES (?, ?, '[]')`)
    for (let revision = 1; revision <= 6001; revision++) insert.run(revision, revision === 6000 ? YOUNG : OLD)
    expect(pruneJournals(db, LIMIT, LIMIT)).toBe(true)
    expect(count('change_log')).toBe(1001)
    expect(pruneJournals(db, LIMIT, LIMIT)).toBe(false)
    expect(count('change_log')).toBe(2)
    expect(pruneJournals(db, LIMIT, LIMIT)).toBe(false)
  })
})
