import type { Peer } from '../../src/peer/peer.ts'

/** A way to find out about the process at the other end of a socket. */
export interface WorkloadAttestor {
  /** The selector type, such as `unix`; also this attestor's section in `agent.yaml`. */
  readonly type: string
  /**
   * Finds selector values such as `uid:1000`.
   *
   * Returns an empty list for a process it knows nothing about; throws only when facts exist and
   * could not be read, or must not be believed. Must stop when `signal` aborts.
   */
  attest(peer: Peer, signal: AbortSignal): Promise<readonly string[]>
}
