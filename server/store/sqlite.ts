import { randomUUID } from 'node:crypto'
import type { Clock } from '../../src/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { openForWriting } from './connection.ts'
import {
  fileIdentity,
  forgetClosed,
  lockDatabase,
  noteClosed,
  prepareDatabaseFile,
  wasChangedSinceClosed,
} from './database-file.ts'
import { migrate } from './migrate.ts'
import { migrations, type Migration } from './schema.ts'
import { storeError } from './sqlite-error.ts'
import { SqliteStore } from './sqlite-store.ts'
import { claimState } from './store-state.ts'
import type { Store } from './store.ts'
import { StoreReader } from './store-reader.ts'
import {
  GROUP_MAX_TRANSACTIONS,
  QUEUE_MAX_BYTES,
  QUEUE_MAX_DECISION_BYTES,
  QUEUE_MAX_TRANSACTIONS,
  type QueueLimits,
} from './write-queue.ts'
import { startWriterWorker, WriterThread, type StartWorker } from './writer-thread.ts'

export interface StoreLimits extends QueueLimits {
  /** The largest that the database may grow; 0: as large as its disk. */
  readonly databaseBytes: number
}

export const defaultStoreLimits: StoreLimits = {
  groupTransactions: GROUP_MAX_TRANSACTIONS,
  queueTransactions: QUEUE_MAX_TRANSACTIONS,
  queueBytes: QUEUE_MAX_BYTES,
  queueDecisionBytes: QUEUE_MAX_DECISION_BYTES,
  databaseBytes: 0,
}

export interface SqliteStoreOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
  readonly limits?: Partial<StoreLimits>
  readonly startWorker?: StartWorker
  readonly migrations?: readonly Migration[]
}

/**
 * Opens the database of a server, making or migrating it as needed, and holds it until disposed. Nobody else can open it
 * meanwhile; outside readers such as a backup program can read it.
 *
 * @throws {@link SallyportError} `STORE_PERMISSIONS`, `STORE_LOCKED`, `STORE_CORRUPT`, `STORE_FOREIGN`, `STORE_NEWER`,
 *   `STORE_FULL`, `STORE_IO_FAILED`
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { path, clock, log } = options
  const limits = { ...defaultStoreLimits, ...options.limits }
  await using parts = new AsyncDisposableStack()
  prepareDatabaseFile(path)
  parts.use(lockDatabase(path))
  bringUpToDate(options)
  parts.defer(() => {
    try {
      noteClosed(path)
    } catch (error) {
      // Without a note the next start believes that nobody has touched the file.
      log.warn({ err: error, path }, 'How the database was left could not be noted')
    }
  })
  const start = { path, maxBytes: limits.databaseBytes }
  const writer = new WriterThread(start, options.startWorker ?? startWriterWorker, { clock, log })
  parts.defer(() => writer.close())
  await writer.ready()
  const reader = parts.use(new StoreReader(path))
  return new SqliteStore({ path, clock, log, limits, reader, writer, parts: parts.move() })
}

function bringUpToDate({ path, log, migrations: steps = migrations }: SqliteStoreOptions): void {
  try {
    // Before anything of ours changes the file.
    const isCopiedOver = wasChangedSinceClosed(path)
    const db = openForWriting(path, 0)
    try {
      const { from, to, backupPath } = migrate(db, path, steps)
      if (backupPath !== undefined) log.info({ from, to, backupPath }, 'Migrated the database')
      const claimed = claimState(db, { identity: fileIdentity(path), isCopiedOver }, randomUUID())
      if (claimed === 'restored') log.warn({ path }, 'The database is a restored copy: agents will synchronise anew')
    } finally {
      db.close()
    }
    forgetClosed(path)
  } catch (error) {
    throw storeError(error, path)
  }
}
