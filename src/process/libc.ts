import { createRequire } from 'node:module'
import type Koffi from 'koffi'
import type { Mapping } from './code-mappings.ts'

/** The few calls of the C library that daemons make on themselves. */
export interface Libc {
  /** Sends one datagram to a unix socket (a leading @ means the abstract namespace). */
  sendDatagram(path: string, text: string): void
  /** No core dumps, and no other process of the same user may read this one's memory. */
  forbidDumps(): void
  /** Returns what was freed to the system, where the C library keeps it (glibc). */
  trimMalloc(): void
  /** Lets go of pages that are read from a file again when they are touched. */
  forgetPages(mapping: Mapping): void
}

const AF_UNIX = 1
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000
const PR_SET_DUMPABLE = 4
const RLIMIT_CORE = 4
const MADV_DONTNEED = 4

/** The C library of this system, or undefined where koffi is not installed or the system is not Linux. */
export function openLibc(): Libc | undefined {
  if (process.platform !== 'linux') return undefined
  let koffi: typeof Koffi
  try {
    koffi = createRequire(import.meta.url)('koffi') as typeof Koffi
  } catch {
    // An optional dependency: without it the process runs, only less protected, and says so.
    return undefined
  }
  const libc = koffi.load(null)
  const socket = libc.func('int socket(int, int, int)')
  const sendto = libc.func('long sendto(int, const void *, size_t, int, const void *, uint32_t)')
  const close = libc.func('int close(int)')
  const prctl = libc.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)')
  const setrlimit = libc.func('int setrlimit(int, const void *)')
  const madvise = libc.func('int madvise(uintptr_t, size_t, int)')
  const trim = glibcTrim(libc)
  return {
    sendDatagram(path, text) {
      const name = Buffer.from(path)
      if (name[0] === 0x40) name[0] = 0
      const address = Buffer.concat([Buffer.from(new Uint16Array([AF_UNIX]).buffer), name])
      const descriptor = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0) as number
      const bytes = Buffer.from(text)
      sendto(descriptor, bytes, bytes.length, 0, address, address.length)
      close(descriptor)
    },
    forbidDumps() {
      prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
      setrlimit(RLIMIT_CORE, Buffer.alloc(16))
    },
    trimMalloc() {
      trim?.(0)
    },
    forgetPages({ start, sizeBytes }) {
      madvise(start, sizeBytes, MADV_DONTNEED)
    },
  }
}

function glibcTrim(libc: ReturnType<typeof Koffi.load>): ReturnType<typeof libc.func> | undefined {
  try {
    return libc.func('int malloc_trim(size_t)')
  } catch {
    // Other C libraries have nothing like it.
    return undefined
  }
}
