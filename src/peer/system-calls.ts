import koffi from 'koffi'

const libc = koffi.load(null)
const getsockoptCall = libc.func(
  'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
)
const pollCall = libc.func('int poll(_Inout_ uint8_t *fds, unsigned long count, int timeout)')
const closeCall = libc.func('int close(int fd)')
// By number: only glibc 2.36 and newer have a function for it.
const pidfdOpenCall = libc.func('long syscall(long number, int pid, unsigned int flags)')
const SYS_PIDFD_OPEN = 434

/** A failed system call. */
export class SystemCallError extends Error {
  readonly errno: number

  constructor(call: string, errno: number) {
    super(`${call} failed with errno ${errno}`)
    this.name = 'SystemCallError'
    this.errno = errno
  }
}

export const ENOPROTOOPT = koffi.os.errno['ENOPROTOOPT'] ?? 92
const EINTR = koffi.os.errno['EINTR'] ?? 4
export const ERANGE = koffi.os.errno['ERANGE'] ?? 34
export const ESRCH = koffi.os.errno['ESRCH'] ?? 3
export const EINVAL = koffi.os.errno['EINVAL'] ?? 22
export const ENOENT = koffi.os.errno['ENOENT'] ?? 2
export const ENOSYS = koffi.os.errno['ENOSYS'] ?? 38

/** The value of a socket option, at most `maxBytes`. */
export function getSocketOption(fd: number, level: number, name: number, maxBytes: number): Buffer {
  const value = Buffer.alloc(maxBytes)
  const length = [maxBytes]
  if (getsockoptCall(fd, level, name, value, length) !== 0) throw new SystemCallError('getsockopt', koffi.errno())
  return value.subarray(0, length[0])
}

const POLLFD_BYTES = 8
const POLLIN = 1

/** Which of these descriptors are readable (or broken) now; does not wait. */
export function readableNow(fds: readonly number[]): readonly number[] {
  if (fds.length === 0) return []
  const records = Buffer.alloc(POLLFD_BYTES * fds.length)
  for (const [index, fd] of fds.entries()) {
    records.writeInt32LE(fd, index * POLLFD_BYTES)
    records.writeInt16LE(POLLIN, index * POLLFD_BYTES + 4)
  }
  // A signal, such as a profiler's, may come even though nothing waits.
  while (pollCall(records, fds.length, 0) < 0) {
    if (koffi.errno() !== EINTR) throw new SystemCallError('poll', koffi.errno())
  }
  return fds.filter((_fd, index) => records.readInt16LE(index * POLLFD_BYTES + 6) !== 0)
}

/** A descriptor of the process that has this number now (Linux 5.3); closed in programs that this process starts. */
export function openPidfd(pid: number): number {
  const fd = pidfdOpenCall(SYS_PIDFD_OPEN, pid, 0) as number
  if (fd < 0) throw new SystemCallError('pidfd_open', koffi.errno())
  return fd
}

export function closeDescriptor(fd: number): void {
  closeCall(fd)
}
