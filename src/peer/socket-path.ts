import { lstatSync, realpathSync, unlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, isAbsolute } from 'node:path'
import { foldersUp, othersMayReplace } from '../disk/folders-up.ts'
import { SallyportError } from '../errors.ts'

/** The longest path that a unix socket can have on Linux, in bytes (sun_path without its end). */
export const SOCKET_PATH_MAX_BYTES = 107

/**
 * Makes room for a socket at a path: the path can be used, nobody else may replace what we make there, and what a crash left
 * over is removed. Anything that is not a socket, or a socket that still answers, stays and is refused.
 *
 * @throws {@link SallyportError} `SOCKET_PATH_UNSAFE`, `SOCKET_IN_USE`
 */
export async function prepareSocketPath(path: string): Promise<void> {
  checkLength(path)
  checkFolders(path)
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status === undefined) return
  if (!status.isSocket()) throw unsafe(path, 'something that is not a socket is there')
  if (await answers(path)) {
    throw new SallyportError('SOCKET_IN_USE', `Cannot listen on ${path}: another process answers there`)
  }
  unlinkSync(path)
}

/**
 * Checks a socket that we are about to connect to: nobody but its owner and root could have put it there.
 *
 * @throws {@link SallyportError} `SOCKET_PATH_UNSAFE`
 */
export function checkSocketPath(path: string): void {
  checkLength(path)
  checkFolders(path)
}

function checkLength(path: string): void {
  if (!isAbsolute(path)) throw unsafe(path, 'it is not absolute')
  const bytes = Buffer.byteLength(path)
  if (bytes > SOCKET_PATH_MAX_BYTES) throw unsafe(path, `it has ${bytes} bytes, and a socket's path at most 107`)
  if (path.includes('\0')) throw unsafe(path, 'it has a zero byte')
}

/** Every folder up to the root, with links resolved, belongs to us or root, and is writable by the owner alone or sticky. */
function checkFolders(path: string): void {
  const ownUid = process.getuid?.()
  for (const folder of foldersUp(realFolder(path))) {
    const { mode, uid } = lstatSync(folder)
    if (othersMayReplace(mode)) {
      throw new SallyportError(
        'SOCKET_PATH_UNSAFE',
        `Cannot use the socket ${shown(path)}: others may write to ${folder}`,
        {
          hint: `Run \`chmod go-w ${folder}\`, or choose a path below a directory that only its owner may write.`,
        },
      )
    }
    if (uid !== 0 && uid !== ownUid && ownUid !== 0) throw unsafe(path, `${folder} belongs to another user`)
  }
}

function realFolder(path: string): string {
  try {
    return realpathSync(dirname(path))
  } catch (error) {
    throw unsafe(path, `there is no folder ${dirname(path)}`, error)
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // A full queue of connections is an answer too; refused or gone is none.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN' || error.code === 'EACCES'))
  })
}

function unsafe(path: string, why: string, cause?: unknown): SallyportError {
  return new SallyportError('SOCKET_PATH_UNSAFE', `Cannot use the socket ${shown(path)}: ${why}`, { cause })
}

const shown = (path: string): string => JSON.stringify(path.length > 160 ? `${path.slice(0, 160)}…` : path)
