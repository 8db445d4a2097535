import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log/log.ts'
import type { Checkpoint } from '../../../server/audit/checkpoint.ts'
import { verifyAudit } from '../../../server/audit/verify-audit.ts'
import { linkHash } from '../../../server/store/audit-chain.ts'
import { openSqliteStore } from '../../../server/store/sqlite.ts'
import { anEvent, anInstant, recording } from '../../fakes/store-objects.ts'

let folder: string
let path: string
let checkpoints: Checkpoint[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-audit-'))
  path = join(folder, 'server.db')
  checkpoints = []
  await using store = await open()
  for (let link = 0; link < 5; link++) {
    await store.commit(
      recording(...[1, 2, 3].map((index) => anEvent('x509-svid.issued', { spiffeId: `s${index}` }, anInstant(link)))),
    )
    checkpoints.push({ epoch: store.epoch, ...store.auditHead(), at: anInstant(link) })
  }
})
afterEach(() => rmSync(folder, { recursive: true }))

const open = () => openSqliteStore({ path, clock: systemClock, log: silentLog })

/** What is found after somebody had the file for themselves. */
async function verdictAfter(tamper: (db: DatabaseSync) => void, held: readonly Checkpoint[] = [], keptSince?: Date) {
  const db = new DatabaseSync(path)
  tamper(db)
  db.close()
  await using store = await open()
  return await verifyAudit(store, held, keptSince === undefined ? {} : { keptSince })
}

const kinds = ({ problems }: { problems: readonly { kind: string }[] }) => [
  ...new Set(problems.map(({ kind }) => kind)),
]

interface Row {
  readonly sequence: number
  readonly at: number
  readonly type: string
  readonly facts: string
  readonly link: number
}

/** Computes the whole chain anew, as somebody with the file and our source would. */
function rewriteChain(db: DatabaseSync): void {
  const { start } = db.prepare('SELECT audit_start_hash AS start FROM state').get() as { start: Uint8Array }
  const rows = db.prepare('SELECT * FROM audit_records ORDER BY sequence').all() as unknown as Row[]
  let hash: Buffer = Buffer.from(start)
  for (const [link, records] of Map.groupBy(rows, (row) => row.link)) {
    hash = linkHash(
      hash,
      records.map(({ at, ...record }) => ({ ...record, atMs: at })),
    )
    db.prepare('UPDATE audit_links SET hash = ? WHERE sequence = ?').run(hash, link)
  }
  db.prepare('UPDATE state SET audit_sequence = ?, audit_hash = ?').run(rows.at(-1)?.sequence ?? 0, hash)
}

describe('verifyAudit()', () => {
  test('SE-22 finds nothing in a journal that nobody touched', async () => {
    const verdict = await verdictAfter(() => undefined, checkpoints)
    expect(verdict).toMatchObject({ problems: [], records: 15, links: 5, compared: 5 })
  })

  test.for([
    ['an edited fact', `UPDATE audit_records SET facts = '{"spiffeId":"other"}' WHERE sequence = 5`],
    ['an edited time', 'UPDATE audit_records SET at = at + 1 WHERE sequence = 5'],
    ['an edited type', `UPDATE audit_records SET type = 'nothing' WHERE sequence = 5`],
    ['an edited hash', `UPDATE audit_links SET hash = zeroblob(32) WHERE sequence = 6`],
    ['a record that was moved', 'UPDATE audit_records SET link = 9 WHERE sequence = 6'],
    ['a link that was taken', 'DELETE FROM audit_links WHERE sequence = 6'],
    ['a record that was taken', 'DELETE FROM audit_records WHERE sequence = 5'],
    ['all records of a link taken', 'DELETE FROM audit_records WHERE link = 6'],
    ['the first record taken', 'DELETE FROM audit_records WHERE sequence = 1'],
    ['the last records taken', 'DELETE FROM audit_records WHERE link = 15'],
  ] as const)('SE-22 finds %s', async ([, sql]) => {
    const verdict = await verdictAfter((db) => db.exec(sql))
    expect(verdict.problems).not.toEqual([])
  })

  test('SE-22 finds by checkpoints a journal that was cut and put in order again', async () => {
    const cut = (db: DatabaseSync): void => {
      db.exec('DELETE FROM audit_records WHERE sequence > 9; DELETE FROM audit_links WHERE sequence > 9')
      rewriteChain(db)
    }
    expect(kinds(await verdictAfter(cut))).toEqual([])
    expect(kinds(await verdictAfter(cut, checkpoints))).toEqual(['cut'])
    expect(kinds(await verdictAfter(cut, checkpoints.slice(0, 3)))).toEqual([])
  })

  test('SE-22 finds by checkpoints a journal that was rewritten as a whole', async () => {
    const rewrite = (db: DatabaseSync): void => {
      db.exec(`UPDATE audit_records SET facts = '{}' WHERE sequence = 8`)
      rewriteChain(db)
    }
    expect(kinds(await verdictAfter(rewrite))).toEqual([])
    const verdict = await verdictAfter(rewrite, checkpoints)
    expect(kinds(verdict)).toEqual(['rewritten'])
    expect(verdict.problems[0]?.sequence).toBe(9)
  })

  test('SE-22 finds by checkpoints links that were put together', async () => {
    const merge = (db: DatabaseSync): void => {
      db.exec('UPDATE audit_records SET link = 6 WHERE link = 3; DELETE FROM audit_links WHERE sequence = 3')
      rewriteChain(db)
    }
    expect(kinds(await verdictAfter(merge, checkpoints))).toEqual(['rewritten'])
  })

  test('SE-22 finds records that were pruned before their time', async () => {
    {
      await using store = await open()
      await store.prune({ logBefore: anInstant(0), auditBefore: anInstant(2) })
    }
    // The checkpoint at the new start is kept with the journal; the one of the link before it is not.
    expect(kinds(await verdictAfter(() => undefined, checkpoints, anInstant(1)))).toEqual([])
    const early = await verdictAfter(() => undefined, checkpoints, anInstant(0))
    expect(early).toMatchObject({ problems: [{ kind: 'pruned', sequence: 3 }], compared: 4 })
  })
})
