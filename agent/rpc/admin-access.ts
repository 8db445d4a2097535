import { chmodSync, lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { Call } from '../../src/wire/call.ts'
import { peerOf } from './callers.ts'

/** Everybody may ask for an identity; who asks decides what he gets. */
export const WORKLOAD_SOCKET_MODE = 0o666
export const ADMIN_SOCKET_MODE = 0o600

/** Makes the folder of the workload socket, which everybody may enter and only we may write, whatever the mask of the process. */
export function prepareWorkloadFolder(socketPath: string): void {
  makeOpenFolder(dirname(socketPath))
}

/** Those that are there stay as they are. */
function makeOpenFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o755 })
  if (first === undefined) return
  for (let made = folder; made.startsWith(first); made = dirname(made)) chmodSync(made, 0o755)
}

/**
 * Makes the folder of the admin socket, or checks that only its owner may enter it (SE-05).
 *
 * @throws {@link SallyportError} `SOCKET_FOLDER_REFUSED`
 */
export function prepareAdminFolder(socketPath: string): void {
  const folder = dirname(socketPath)
  makeOpenFolder(dirname(folder))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = lstatSync(realpathSync(folder))
  if (uid !== process.geteuid?.()) throw refused(socketPath, `${folder} belongs to user ${uid}`)
  if ((mode & 0o077) !== 0)
    throw refused(socketPath, `${folder} is open to others (mode ${(mode & 0o777).toString(8)})`)
}

/** Lets in those users, and leaves a trace of each call and each refusal. */
export function adminAccess(uids: ReadonlySet<number>, log: Log): (call: Call) => Promise<void> {
  return async (call) => {
    const { uid, pid } = peerOf(call)
    const fields = { callerId: `uid:${uid}`, uid, pid, method: call.method, requestId: call.requestId }
    if (uids.has(uid)) return log.info(fields, 'Admin call')
    log.warn(fields, 'Refused an admin call')
    throw new SallyportError('CALL_REFUSED', `Cannot serve user ${uid} on the admin socket of this agent`, {
      hint: 'Call as root or as the user that runs the agent, or list the user under adminUids.',
    })
  }
}

const refused = (path: string, why: string): SallyportError =>
  new SallyportError('SOCKET_FOLDER_REFUSED', `Cannot open the admin socket ${path.slice(0, 300)}: ${why}`)
