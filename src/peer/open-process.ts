import { SallyportError } from '../errors.ts'
import type { Peer } from './peer.ts'
import { PidfdLife, PinnedProcess, startTimeLife, type Life } from './pinned-process.ts'
import { executableOf, idsOf, isNamed } from './process-facts.ts'
import { SUPPLEMENTARY_GROUPS_MAX, type PeerOptions } from './read-peer.ts'
import { EINVAL, ENOENT, ENOSYS, ESRCH, openPidfd, SystemCallError } from './system-calls.ts'

/** A process that somebody else has named by its number. Disposing it closes its pidfd. */
export interface OpenProcess extends Peer, Disposable {}

/**
 * Opens a process of this node by its number, as this process sees it. As with {@link readPeer}, the pidfd comes first: while it says
 * "alive", what is read from `/proc/<pid>` belongs to this process and no later one of the same number.
 *
 * @returns undefined where no process has that number; a thread or one that waits to be reaped is none
 * @throws {@link SallyportError} `PROCESS_REFUSED` when the process cannot be told, `PROCESS_UNIDENTIFIABLE` on old kernels
 */
export function openProcess(pid: number, options: PeerOptions = {}): OpenProcess | undefined {
  const life = lifeOf(pid, options)
  if (life === undefined) return undefined
  try {
    const ids = idsOf(pid)
    const executable = executableOf(pid)
    if (!life.isAlive()) {
      life.release()
      return undefined
    }
    if (ids === undefined) throw refused(pid, 'its /proc is hidden')
    if (!isNamed(ids)) throw refused(pid, 'its user or group has no name in our user namespace')
    if (ids.supplementaryGids.length > SUPPLEMENTARY_GROUPS_MAX) {
      throw refused(pid, `it is in more than ${SUPPLEMENTARY_GROUPS_MAX} groups`)
    }
    return new OpenedProcess({ pid, ...ids, executable }, life)
  } catch (error) {
    life.release()
    throw error
  }
}

/** There is no such process, or the number can belong to none; newer kernels have a code of its own for that of a thread. */
const nobody = new Set([ESRCH, EINVAL, ENOENT])

class OpenedProcess extends PinnedProcess implements OpenProcess {
  [Symbol.dispose](): void {
    this.release(new SallyportError('PROCESS_REFUSED', `Process ${this.pid} is not looked at any more`))
  }
}

function lifeOf(pid: number, { allowStartTimeFallback }: PeerOptions): Life | undefined {
  if (process.platform !== 'linux') {
    throw new SallyportError('PROCESS_UNIDENTIFIABLE', `Cannot pin process ${pid}: this system is not Linux`)
  }
  try {
    return new PidfdLife(openPidfd(pid))
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error
    if (nobody.has(error.errno)) return undefined
    if (error.errno !== ENOSYS) throw refused(pid, 'the system opens no pidfd for it', error)
    if (allowStartTimeFallback === true) return startTimeLife(pid)
    throw new SallyportError('PROCESS_UNIDENTIFIABLE', `Cannot pin process ${pid}: the kernel has no pidfds`)
  }
}

const refused = (pid: number, why: string, cause?: unknown): SallyportError =>
  new SallyportError('PROCESS_REFUSED', `Cannot identify process ${pid}: ${why}`, { cause })
