import { DatabaseSync } from 'node:sqlite'

/** How long a statement waits for somebody who reads the file from outside, such as a backup program. */
const BUSY_TIMEOUT_MS = 5_000

/** Opens the connection that writes: write-ahead log, and a commit returns only when the disk has it. */
export function openForWriting(path: string, maxBytes: number): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false })
  try {
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA trusted_schema = OFF;
      PRAGMA cell_size_check = ON;
      PRAGMA cache_size = -32768;
      PRAGMA journal_size_limit = 67108864;
      PRAGMA wal_autocheckpoint = 8192;
    `)
    if (maxBytes > 0) {
      const { page_size: pageBytes } = db.prepare('PRAGMA page_size').get() as unknown as { page_size: number }
      db.exec(`PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageBytes))}`)
    }
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Drops the pages that the connection keeps in memory, of which the operating system has another copy. */
export function releasePages(db: DatabaseSync): void {
  db.exec('PRAGMA shrink_memory')
}

export function openForReading(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readOnly: true })
  db.exec('PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -8192')
  return db
}
