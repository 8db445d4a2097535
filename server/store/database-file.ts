import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { SallyportError } from '../../src/errors.ts'
import { storeError } from './sqlite-error.ts'

/**
 * Makes sure that the database file exists and belongs to nobody else: 0600 in a 0700 folder. SQLite gives the files it makes
 * beside it the same mode.
 *
 * @throws {@link SallyportError} `STORE_PERMISSIONS`, `STORE_FULL`
 */
export function prepareDatabaseFile(path: string): void {
  const folder = dirname(path)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    createFile(path)
    createFile(lockPathOf(path))
  } catch (error) {
    throw fileError(error, path)
  }
  checkPrivate(folder, 0o700, 'chmod 700')
  checkPrivate(path, 0o600, 'chmod 600')
}

const lockPathOf = (path: string): string => `${path}.lock`

function createFile(path: string): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) closeSync(openSync(path, 'wx', 0o600))
}

function checkPrivate(path: string, wanted: number, remedy: string): void {
  const { mode, uid } = statSync(path)
  const own = process.getuid?.()
  if (own !== undefined && own !== 0 && uid !== own) {
    throw new SallyportError('STORE_PERMISSIONS', `Cannot use ${path}: it belongs to the user ${uid}, not to ${own}`, {
      hint: `Give it to the user of the server: chown ${own} ${path}`,
    })
  }
  if ((mode & 0o077) !== 0) {
    const shown = (mode & 0o777).toString(8)
    throw new SallyportError('STORE_PERMISSIONS', `Cannot use ${path}: its mode ${shown} lets others in`, {
      hint: `Close it to others: ${remedy} ${path} (the mode must be ${wanted.toString(8)} at most).`,
    })
  }
}

function fileError(error: unknown, path: string): SallyportError {
  const { code } = error as { code?: string }
  const known = code === 'ENOSPC' || code === 'EDQUOT' ? 'STORE_FULL' : code === 'EIO' ? 'STORE_IO_FAILED' : undefined
  return new SallyportError(
    known ?? 'STORE_PERMISSIONS',
    `Cannot make the database ${path}: ${code ?? String(error)}`,
    {
      cause: error,
    },
  )
}

/**
 * Holds the database for this process until disposed. A lock on a file of its own, because it must outlive the writer thread;
 * SQLite takes it, because Node has no file locks, and the kernel gives it back when a process dies.
 *
 * @throws {@link SallyportError} `STORE_LOCKED`
 */
export function lockDatabase(path: string): Disposable {
  const db = new DatabaseSync(lockPathOf(path), { timeout: 0 })
  try {
    db.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    const { code, message, cause } = storeError(error, lockPathOf(path))
    if (code !== 'STORE_LOCKED') throw new SallyportError(code, message, { cause })
    throw new SallyportError('STORE_LOCKED', `Cannot open the database ${path}: another process holds it`, {
      hint: 'Stop the other server, or give this one a `dataDir` of its own.',
      cause,
    })
  }
  return { [Symbol.dispose]: () => db.close() }
}

const closedPathOf = (path: string): string => `${path}.closed`

/**
 * Notes beside the database how it was left, after everything in it was closed. The kernel sets the time at which a file changed last,
 * and lets nobody set it back: a backup that is copied onto the file, with this note or without, does not fit the note any more.
 */
export function noteClosed(path: string): void {
  writeFileSync(closedPathOf(path), changedAt(path), { mode: 0o600 })
}

/**
 * Whether somebody has changed the file since it was closed; a server that was killed has left no note, and nothing is known. The note
 * stays until {@link forgetClosed}: a start that fails must not take along what the next one has to know.
 */
export function wasChangedSinceClosed(path: string): boolean {
  const note = closedPathOf(path)
  if (statSync(note, { throwIfNoEntry: false }) === undefined) return false
  return readFileSync(note, 'utf8') !== changedAt(path)
}

/** What the note says is known to the database itself by now, and from here on the file changes. */
export function forgetClosed(path: string): void {
  rmSync(closedPathOf(path), { force: true })
}

const changedAt = (path: string): string => String(statSync(path, { bigint: true }).ctimeNs)

/** Says which file this is: a copy that was put back from a backup is another one, even under the same name. */
export function fileIdentity(path: string): string {
  const { ino, birthtimeNs } = statSync(path, { bigint: true })
  return `${ino}:${birthtimeNs}`
}
