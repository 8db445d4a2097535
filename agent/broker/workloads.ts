import { SallyportError } from '../../src/errors.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { OpenProcess } from '../../src/peer/open-process.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { printReference, type Reference } from './reference.ts'

export interface WorkloadsDeps {
  /** Undefined: no process has that number. */
  readonly openProcess: (pid: number) => OpenProcess | undefined
  readonly attest: (peer: Peer, signal: AbortSignal) => Promise<readonly Selector[]>
}

/** A workload that was found: what is true about it, and a hold on it until it is disposed. */
export interface FoundWorkload extends Disposable {
  readonly peer: Peer
  readonly selectors: readonly Selector[]
}

/**
 * Finds the workload behind a reference, by what the system says and nothing that the broker says (BA-07).
 *
 * An agent that has no Kubernetes attestor knows no control plane in which an object could be looked up, so references to objects are
 * a kind that it does not support, for which the standard wants INVALID_ARGUMENT (BA-02): the broker reports it and does not ask
 * again. NOT_FOUND would claim that somebody has looked, and would make brokers ask for ever.
 *
 * @throws {@link SallyportError} `WORKLOAD_REFERENCE_INVALID`, `WORKLOAD_NOT_FOUND`, and why a process cannot be attested
 */
export async function findWorkload(
  reference: Reference,
  { openProcess, attest }: WorkloadsDeps,
  signal: AbortSignal,
): Promise<FoundWorkload> {
  if (reference.kind !== 'pid') {
    throw new SallyportError(
      'WORKLOAD_REFERENCE_INVALID',
      `Cannot resolve ${printReference(reference)}: this agent has no Kubernetes attestor, so it resolves no objects`,
      { hint: 'Refer to processes of this node by their number.' },
    )
  }
  const peer = openProcess(reference.pid)
  if (peer === undefined) throw ended(reference.pid)
  try {
    return { peer, selectors: await attest(peer, signal), [Symbol.dispose]: () => peer[Symbol.dispose]() }
  } catch (error) {
    const isThere = peer.isAlive()
    peer[Symbol.dispose]()
    throw isThere ? error : ended(reference.pid, error)
  }
}

/** There is no such process, or not any more. */
export const ended = (pid: number, cause?: unknown): SallyportError =>
  new SallyportError('WORKLOAD_NOT_FOUND', `Cannot find process ${pid}: there is none, or it has ended`, { cause })
