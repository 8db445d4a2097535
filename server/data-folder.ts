import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { SallyportError } from '../src/errors.ts'

/** Where a server keeps what it must not lose. */
export interface DataFolder {
  readonly databasePath: string
  readonly keysFolder: string
  /** Names this server among several that share a trust domain; made once. */
  readonly serverId: string
}

/**
 * Makes the folder of a server (0700), or checks that nobody else may look into it.
 *
 * @throws {@link SallyportError} `DATA_FOLDER_REFUSED`
 */
export function openDataFolder(folder: string, random: (bytes: number) => Buffer): DataFolder {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw refused(folder, `it cannot be made (${(error as NodeJS.ErrnoException).code})`, error)
  }
  const { uid, mode } = lstatSync(folder)
  if (uid !== process.geteuid?.()) throw refused(folder, `it belongs to user ${uid}`)
  if ((mode & 0o077) !== 0) throw refused(folder, `it is open to others (mode ${(mode & 0o777).toString(8)})`)
  const serverId = readServerId(join(folder, 'server-id'), random)
  return { databasePath: join(folder, 'sallyport.db'), keysFolder: join(folder, 'keys'), serverId }
}

function readServerId(path: string, random: (bytes: number) => Buffer): string {
  if (!existsSync(path)) {
    // Under another name first: what a crash leaves half written must not keep the server from its next start.
    const unfinished = `${path}.unfinished`
    writeFileSync(unfinished, `${random(8).toString('hex')}\n`, { mode: 0o600, flush: true })
    renameSync(unfinished, path)
    flushFolder(dirname(path))
  }
  const id = readFileSync(path, 'utf8').trim()
  if (/^[0-9a-f]{16}$/.test(id)) return id
  throw refused(path, 'it does not hold the id of a server')
}

/** A name is durable once its folder is: authorities are stored under this one. */
function flushFolder(folder: string): void {
  const handle = openSync(folder, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}

const refused = (path: string, why: string, cause?: unknown): SallyportError =>
  new SallyportError('DATA_FOLDER_REFUSED', `Cannot use ${path}: ${why}`, cause === undefined ? {} : { cause })
