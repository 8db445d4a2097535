import { readFileSync, readlinkSync, statSync } from 'node:fs'

/** A file as the kernel knows it: a path can be made to lie, device and inode of a running program much less. */
export interface Executable {
  readonly device: bigint
  readonly inode: bigint
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

/** When the process started, in clock ticks since boot: with the pid, its name for as long as the system runs. */
export function startTimeOf(pid: number): string | undefined {
  const text = orUndefined(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  // The command in brackets may hold spaces and brackets; the fields after the last one are numbers. Field 22 is the start.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}

/**
 * Are ids that this process sees the host's own? In a user namespace of our own, an id without a mapping reads as the
 * overflow id, which then means "nobody knows".
 */
export function seesAllIds(): boolean {
  // A process does not change its user namespace while it runs threads, so this is read once.
  allIdsSeen ??= /^\s*0\s+0\s+4294967295\s*$/.test(
    orUndefined(() => readFileSync('/proc/self/uid_map', 'latin1')) ?? '',
  )
  return allIdsSeen
}

let allIdsSeen: boolean | undefined

/** The id that stands for "not mapped here" (65534 unless changed). */
export function overflowId(kind: 'uid' | 'gid'): number {
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
