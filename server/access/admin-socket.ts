import { lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { SallyportError } from '../../src/errors.ts'

/** Of the admin socket itself. */
export const ADMIN_SOCKET_MODE = 0o600

/**
 * Makes the folder of the admin socket, or checks that only its owner may enter it (SE-05). The folders above are checked by whoever makes
 * the socket.
 *
 * @throws {@link SallyportError} `SOCKET_FOLDER_REFUSED`
 */
export function prepareSocketFolder(socketPath: string): void {
  const folder = dirname(socketPath)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(realpathSync(folder))
  if (uid !== process.geteuid?.()) throw refused(socketPath, `${folder} belongs to user ${uid}`)
  if ((mode & 0o077) !== 0)
    throw refused(socketPath, `${folder} is open to others (mode ${(mode & 0o777).toString(8)})`)
}

const refused = (path: string, why: string): SallyportError =>
  new SallyportError('SOCKET_FOLDER_REFUSED', `Cannot open the admin socket ${path.slice(0, 300)}: ${why}`)
