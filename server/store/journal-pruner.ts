import type { DatabaseSync } from 'node:sqlite'

/** Rows that go in one transaction: few enough that commits which wait behind it do not notice. */
const PRUNE_MAX_ROWS = 5_000

interface LogRow {
  readonly revision: number
  readonly at: number
}

interface Link {
  readonly sequence: number
  readonly first_sequence: number
  readonly at: number
  readonly hash: Uint8Array
}

/** Removes old rows of the change log and old links of the audit journal; true when more are left. */
export function pruneJournals(db: DatabaseSync, logBeforeMs: number, auditBeforeMs: number): boolean {
  db.exec('BEGIN IMMEDIATE')
  try {
    const logMore = pruneLog(db, logBeforeMs)
    const auditMore = pruneAudit(db, auditBeforeMs)
    pruneFastLane(db, logBeforeMs)
    db.exec('COMMIT')
    return logMore || auditMore
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

// Up to the first young row in order of revision: a wall clock that jumped back must not tear a hole into the log.
function pruneLog(db: DatabaseSync, beforeMs: number): boolean {
  const oldest = db
    .prepare(`SELECT revision, at FROM change_log ORDER BY revision LIMIT ${PRUNE_MAX_ROWS}`)
    .all() as unknown as readonly LogRow[]
  const young = oldest.findIndex(({ at }) => at >= beforeMs)
  const last = (young === -1 ? oldest : oldest.slice(0, young)).at(-1)
  if (last === undefined) return false
  db.prepare('DELETE FROM change_log WHERE revision <= ?').run(last.revision)
  return young === -1 && oldest.length === PRUNE_MAX_ROWS
}

/** All but the newest: the next sequence is counted from it. Agents that are further behind get the live set. */
function pruneFastLane(db: DatabaseSync, beforeMs: number): void {
  db.prepare(
    `DELETE FROM documents WHERE kind = 'fastLane' AND body ->> '$.atMs' < ?
      AND number < (SELECT max(number) FROM documents WHERE kind = 'fastLane')`,
  ).run(beforeMs)
}

/** Whole links from the old end, about so many records at a time; the last of them stays as the place where verification starts. */
function pruneAudit(db: DatabaseSync, beforeMs: number): boolean {
  const oldest = db
    .prepare(`SELECT sequence, first_sequence, at, hash FROM audit_links ORDER BY sequence LIMIT ${PRUNE_MAX_ROWS}`)
    .all() as unknown as readonly Link[]
  const enough = (oldest[0]?.first_sequence ?? 0) + PRUNE_MAX_ROWS
  const end = oldest.findIndex(({ at, first_sequence: first }) => at >= beforeMs || first >= enough)
  const last = (end === -1 ? oldest : oldest.slice(0, end)).at(-1)
  if (last === undefined) return false
  db.prepare('DELETE FROM audit_records WHERE sequence <= ?').run(last.sequence)
  db.prepare('DELETE FROM audit_links WHERE sequence <= ?').run(last.sequence)
  db.prepare('UPDATE state SET audit_start_sequence = ?, audit_start_hash = ?').run(last.sequence, last.hash)
  const next = oldest[end]
  return next === undefined ? oldest.length === PRUNE_MAX_ROWS : next.at < beforeMs
}
