import type { DatabaseSync } from 'node:sqlite'

/** Rows that go in one transaction: few enough that commits which wait behind it do not notice. */
const PRUNE_MAX_ROWS = 5_000

interface Link {
  readonly sequence: number
  readonly hash: Uint8Array
}

/** Removes old rows of the change log and old links of the audit journal; true when more are left. */
export function pruneJournals(db: DatabaseSync, logBeforeMs: number, auditBeforeMs: number): boolean {
  db.exec('BEGIN IMMEDIATE')
  try {
    const logMore = pruneLog(db, logBeforeMs)
    const auditMore = pruneAudit(db, auditBeforeMs)
    db.exec('COMMIT')
    return logMore || auditMore
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

// Up to the first young row in order of revision: a wall clock that jumped back must not tear a hole into the log.
function pruneLog(db: DatabaseSync, beforeMs: number): boolean {
  const deleted = db
    .prepare(
      `DELETE FROM change_log WHERE revision IN (SELECT revision FROM change_log WHERE revision <
        coalesce((SELECT revision FROM change_log WHERE at >= ? ORDER BY revision LIMIT 1), ${Number.MAX_SAFE_INTEGER})
        ORDER BY revision LIMIT ${PRUNE_MAX_ROWS})`,
    )
    .run(beforeMs)
  return deleted.changes === PRUNE_MAX_ROWS
}

/** Whole links from the old end; the last of them stays as the place where verification starts. */
function pruneAudit(db: DatabaseSync, beforeMs: number): boolean {
  const links = db
    .prepare(
      `SELECT sequence, hash FROM audit_links WHERE sequence <
        coalesce((SELECT sequence FROM audit_links WHERE at >= ? ORDER BY sequence LIMIT 1), ${Number.MAX_SAFE_INTEGER})
        ORDER BY sequence LIMIT ${PRUNE_MAX_ROWS}`,
    )
    .all(beforeMs) as unknown as readonly Link[]
  const last = links.at(-1)
  if (last === undefined) return false
  db.prepare('DELETE FROM audit_records WHERE sequence <= ?').run(last.sequence)
  db.prepare('DELETE FROM audit_links WHERE sequence <= ?').run(last.sequence)
  db.prepare('UPDATE state SET audit_start_sequence = ?, audit_start_hash = ?').run(last.sequence, last.hash)
  return links.length === PRUNE_MAX_ROWS
}
