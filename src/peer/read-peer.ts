import type { Socket } from 'node:net'
import { endianness } from 'node:os'
import { SallyportError } from '../errors.ts'
import type { Peer } from './peer.ts'
import { PinnedProcess, PidfdLife, startTimeLife } from './pinned-process.ts'
import { executableOf, isNamed } from './process-facts.ts'
import { closeDescriptor, ENOPROTOOPT, ERANGE, getSocketOption, SystemCallError } from './system-calls.ts'

export interface PeerOptions {
  /**
   * Kernels before 6.5 have no SO_PEERPIDFD. True: identify the process by pid and start time there, which leaves a race
   * when pids are reused. Default: refuse.
   */
  readonly allowStartTimeFallback?: boolean | undefined
}

/** No process of good will is in more groups. */
export const SUPPLEMENTARY_GROUPS_MAX = 1024

const SOL_SOCKET = 1
const SO_PEERCRED = 17
const SO_PEERGROUPS = 59
const SO_PEERPIDFD = 77

/**
 * Reads who is at the other end of an accepted unix socket. The pidfd comes first: while it says "alive", what is read from
 * `/proc/<pid>` belongs to this process and no later one of the same number. It is closed together with the socket.
 *
 * @throws {@link SallyportError} `PROCESS_REFUSED` when the process cannot be told, `PROCESS_UNIDENTIFIABLE` on old kernels
 */
export function readPeer(socket: Socket, options: PeerOptions = {}): Peer {
  if (process.platform === 'darwin')
    throw new SallyportError('PROCESS_UNIDENTIFIABLE', 'Cannot identify peers on macOS')
  const fd = descriptorOf(socket)
  const pidfd = readPidfd(fd, options)
  try {
    const credentials = readCredentials(fd)
    const supplementaryGids = readGroups(fd)
    const executable = executableOf(credentials.pid)
    const life = pidfd === undefined ? startTimeLife(credentials.pid) : new PidfdLife(pidfd)
    if (!life.isAlive()) throw refused(`Cannot identify process ${credentials.pid}: it has exited`)
    const peer = new PinnedProcess({ ...credentials, supplementaryGids, executable }, life)
    socket.on('close', () => peer.release(socketClosed))
    return peer
  } catch (error) {
    if (pidfd !== undefined) closeDescriptor(pidfd)
    throw error
  }
}

/** There is no public way to the descriptor of an accepted socket; whatever is there must at least look like one. */
function descriptorOf(socket: Socket): number {
  const handle = (socket as unknown as { readonly _handle?: { readonly fd?: unknown } | null })._handle
  const fd = handle?.fd
  if (typeof fd === 'number' && Number.isInteger(fd) && fd >= 0) return fd
  throw refused('Cannot identify the process at a socket: the socket is closed')
}

function readPidfd(fd: number, options: PeerOptions): number | undefined {
  try {
    return readInts(getSocketOption(fd, SOL_SOCKET, SO_PEERPIDFD, 4))[0]
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error
    if (error.errno !== ENOPROTOOPT) throw refused('Cannot identify the process at a socket: it has exited', error)
    if (options.allowStartTimeFallback === true) return undefined
    throw new SallyportError(
      'PROCESS_UNIDENTIFIABLE',
      'Cannot pin the process at a socket: the kernel has no SO_PEERPIDFD',
    )
  }
}

function readCredentials(fd: number): Pick<Peer, 'pid' | 'uid' | 'gid'> {
  const [pid = 0, uid = 0, gid = 0] = readInts(getSocketOption(fd, SOL_SOCKET, SO_PEERCRED, 12))
  if (pid <= 0)
    throw refused('Cannot identify the process at a socket: it is in a pid namespace that is hidden from here')
  if (!isNamed({ uid, gid })) {
    throw refused(`Cannot identify process ${pid}: its user or group has no name in our user namespace`)
  }
  return { pid, uid, gid }
}

function readGroups(fd: number): readonly number[] {
  try {
    return readInts(getSocketOption(fd, SOL_SOCKET, SO_PEERGROUPS, 4 * SUPPLEMENTARY_GROUPS_MAX))
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.errno !== ERANGE) throw error
    throw refused(
      `Cannot identify the process at a socket: it is in more than ${SUPPLEMENTARY_GROUPS_MAX} groups`,
      error,
    )
  }
}

/** Every connection ends so, and nobody is told: one stack trace is enough for all. */
const socketClosed = refused('The process has closed its socket')

function readInts(bytes: Buffer): number[] {
  const read = endianness() === 'LE' ? bytes.readUInt32LE : bytes.readUInt32BE
  return Array.from({ length: bytes.length / 4 }, (_unused, index) => read.call(bytes, index * 4))
}

function refused(message: string, cause?: unknown): SallyportError {
  return new SallyportError('PROCESS_REFUSED', message, cause === undefined ? {} : { cause })
}
