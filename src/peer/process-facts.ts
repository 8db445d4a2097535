import { readFileSync, readlinkSync, statSync } from 'node:fs'

/** A file as the kernel knows it: a path can be made to lie, device and inode of a running program much less. */
export interface Executable {
  readonly device: bigint
  readonly inode: bigint
}

/** Users and groups of a process, the effective ones, as SO_PEERCRED tells them. */
export interface ProcessIds {
  readonly uid: number
  readonly gid: number
  readonly supplementaryGids: readonly number[]
}

/** A namespace such as `user:[4026531837]`. */
export type NamespaceKind = 'user' | 'mnt' | 'pid'

/**
 * The file that a process runs now, also when it was deleted or lies in another mount namespace; undefined when the process
 * is gone or the system hides it from us.
 */
export function executableOf(pid: number): Executable | undefined {
  const status = orUndefined(() => statSync(`/proc/${pid}/exe`, { bigint: true }))
  return status === undefined ? undefined : { device: status.dev, inode: status.ino }
}

export const isSameExecutable = (a: Executable, b: Executable): boolean => a.device === b.device && a.inode === b.inode

/** What `/proc/<pid>/exe` reads as: a path in the mount namespace of that process, with ` (deleted)` when it is so. */
export const executablePathOf = (pid: number): string | undefined => orUndefined(() => readlinkSync(`/proc/${pid}/exe`))

export const namespaceOf = (pid: number | 'self', kind: NamespaceKind): string | undefined =>
  orUndefined(() => readlinkSync(`/proc/${pid}/ns/${kind}`))

/** As `/proc/<pid>/status` tells them; undefined when the process is gone or the system hides it from us. */
export function idsOf(pid: number): ProcessIds | undefined {
  const status = orUndefined(() => readFileSync(`/proc/${pid}/status`, 'latin1'))
  if (status === undefined) return undefined
  // Of the four ids in a line the second one is the effective one.
  const [uid, gid] = [numbersOf(status, 'Uid')[1], numbersOf(status, 'Gid')[1]]
  if (uid === undefined || gid === undefined) return undefined
  return { uid, gid, supplementaryGids: numbersOf(status, 'Groups') }
}

function numbersOf(status: string, name: string): number[] {
  const line = new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? ''
  return line.split(/\s+/).filter(Boolean).map(Number)
}

/**
 * Are ids that this process sees the host's own? In a user namespace of our own, an id without a mapping reads as the
 * overflow id, which then means "nobody knows".
 */
function seesAllIds(): boolean {
  // A process does not change its user namespace while it runs threads, so this is read once.
  allIdsSeen ??= /^\s*0\s+0\s+4294967295\s*$/.test(
    orUndefined(() => readFileSync('/proc/self/uid_map', 'latin1')) ?? '',
  )
  return allIdsSeen
}

let allIdsSeen: boolean | undefined

/** Do user and group have names in our own user namespace, so that they mean what they say? */
export const isNamed = ({ uid, gid }: { readonly uid: number; readonly gid: number }): boolean =>
  seesAllIds() || (uid !== overflowId('uid') && gid !== overflowId('gid'))

/** The id that stands for "not mapped here" (65534 unless changed). */
function overflowId(kind: 'uid' | 'gid'): number {
  return Number(orUndefined(() => readFileSync(`/proc/sys/kernel/overflow${kind}`, 'latin1')) ?? 65534)
}

/** Processes come and go, and hide: an absent fact is a value here, and those who need it refuse. */
function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
