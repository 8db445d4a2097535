import type { Executable } from './process-facts.ts'

/** The process at the other end of a unix socket, pinned by the kernel when it connected. */
export interface Peer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** Supplementary groups as the kernel told them for the socket (SO_PEERGROUPS), at most 1,024. */
  readonly supplementaryGids: readonly number[]
  /** What it ran when it was accepted; undefined where the system hides it from us. */
  readonly executable?: Executable | undefined
  /** False once the process has exited (polls the pidfd); what was read from /proc before a `true` belonged to the peer. */
  isAlive(): boolean
  /** Aborts when the process exits. */
  readonly exited: AbortSignal
}
