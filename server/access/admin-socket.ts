import { chmodSync, lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { SallyportError } from '../../src/errors.ts'

/** The longest path of a unix socket that Linux takes, in bytes. */
export const SOCKET_PATH_MAX_BYTES = 107

const WRITABLE_BY_OTHERS = 0o022
const STICKY = 0o1000

/**
 * Makes the folder of the admin socket (0700) and refuses a place where others could replace it: no folder above it may be writable by
 * others, those with a sticky bit aside (SE-05).
 *
 * @throws {@link SallyportError} `SOCKET_FOLDER_REFUSED`
 */
export function prepareSocketFolder(socketPath: string): void {
  if (Buffer.byteLength(socketPath) > SOCKET_PATH_MAX_BYTES) {
    throw refused(socketPath, `the path is longer than ${SOCKET_PATH_MAX_BYTES} bytes`)
  }
  const folder = dirname(socketPath)
  const isNew = mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined
  if (isNew) chmodSync(folder, 0o700)
  const own = lstatSync(realpathSync(folder))
  const { uid } = own
  if (uid !== process.geteuid?.() && uid !== 0) throw refused(socketPath, `${folder} belongs to user ${uid}`)
  if ((own.mode & 0o077) !== 0)
    throw refused(socketPath, `${folder} is open to others (mode ${(own.mode & 0o7777).toString(8)})`)
  for (let above = dirname(realpathSync(folder)); ; above = dirname(above)) {
    const { mode } = lstatSync(above)
    if ((mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0)
      throw refused(socketPath, `others can write ${above}`)
    if (above === dirname(above)) return
  }
}

const refused = (path: string, why: string): SallyportError =>
  new SallyportError('SOCKET_FOLDER_REFUSED', `Cannot open the admin socket ${path.slice(0, 300)}: ${why}`)
