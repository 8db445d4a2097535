import { chmodSync, rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { SallyportError } from '../../src/errors.ts'
import { APPLICATION_ID, type Migration } from './schema.ts'

/** What {@link migrate} did. */
export interface Migrated {
  readonly from: number
  readonly to: number
  /** The copy made before the first step; undefined for a new or current database. */
  readonly backupPath: string | undefined
}

/**
 * Brings a database to the form of today, step by step, each in its own transaction, after making a copy beside it.
 *
 * @throws {@link SallyportError} `STORE_NEWER`, `STORE_FOREIGN`
 */
export function migrate(db: DatabaseSync, path: string, migrations: readonly Migration[]): Migrated {
  const from = numberOf(db, 'user_version')
  const to = migrations.at(-1)?.version ?? 0
  checkOurs(db, path)
  if (from > to) {
    throw new SallyportError('STORE_NEWER', `Cannot open ${path}: it has form ${from}, this version knows up to ${to}`)
  }
  const steps = migrations.filter(({ version }) => version > from)
  const backupPath = from > 0 && steps.length > 0 ? `${path}.before-migration-from-${from}` : undefined
  if (backupPath !== undefined) backUp(db, backupPath)
  for (const step of steps) apply(db, step)
  return { from, to, backupPath }
}

function checkOurs(db: DatabaseSync, path: string): void {
  const id = numberOf(db, 'application_id')
  const { count } = db.prepare('SELECT count(*) AS count FROM sqlite_schema').get() as unknown as { count: number }
  if (id === APPLICATION_ID || (id === 0 && count === 0)) return
  throw new SallyportError('STORE_FOREIGN', `Cannot open ${path}: it is a database of another program`)
}

function backUp(db: DatabaseSync, path: string): void {
  // One that is left from an attempt that failed later is older than what is there now.
  rmSync(path, { force: true })
  db.prepare('VACUUM INTO ?').run(path)
  chmodSync(path, 0o600)
}

function apply(db: DatabaseSync, { version, sql }: Migration): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    db.exec(`${sql}; PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${version}`)
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function numberOf(db: DatabaseSync, pragma: 'user_version' | 'application_id'): number {
  return Object.values(db.prepare(`PRAGMA ${pragma}`).get() ?? {})[0] as number
}
