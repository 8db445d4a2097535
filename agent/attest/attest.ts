import { selectorOf, type Selector } from '../../src/entry/selector.ts'
import { SallyportError } from '../../src/errors.ts'
import { silentLog, type Log } from '../../src/log/log.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { checkSameExecutable } from './same-executable.ts'
import type { WorkloadAttestor } from './workload-attestor.ts'

/**
 * What is true about a process: the selectors that all attestors found, in their order, without repeats. One that fails is
 * left out as long as another succeeds. The process must still be there, and the same program, when they are done.
 *
 * @throws {@link SallyportError} `PROCESS_REFUSED`, `WORKLOAD_ATTESTATION_FAILED`, `WORKLOAD_CHANGED`
 */
export async function attest(
  peer: Peer,
  attestors: readonly WorkloadAttestor[],
  signal: AbortSignal,
  log: Log = silentLog,
  checkSame: (peer: Peer) => void = checkSameExecutable,
): Promise<readonly Selector[]> {
  signal.throwIfAborted()
  const outcomes = await Promise.allSettled(attestors.map((attestor) => selectorsBy(attestor, peer, signal)))
  signal.throwIfAborted()
  const failures = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [{ type: attestors[index]!.type, error: outcome.reason as unknown }] : [],
  )
  for (const { type, error } of failures) {
    log.warn({ err: error, attestor: type, pid: peer.pid, uid: peer.uid }, 'Could not attest a workload')
  }
  if (failures.length === attestors.length) throw failureOf(peer, failures)
  checkSame(peer)
  return outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []))
}

async function selectorsBy(
  { type, attest: find }: WorkloadAttestor,
  peer: Peer,
  signal: AbortSignal,
): Promise<Selector[]> {
  const values = await find(peer, signal)
  return [...new Set(values)].map((value) => selectorOf(type, value))
}

/** A refusal says more than a failure, and stays: the caller need not ask again. */
function failureOf({ pid }: Peer, failures: readonly { readonly type: string; readonly error: unknown }[]): Error {
  const refusal = failures.map(({ error }) => error).find((error) => isRefusal(error))
  if (refusal !== undefined) return refusal as Error
  const types = failures.map(({ type }) => type).join(', ') || 'none is enabled'
  return new SallyportError('WORKLOAD_ATTESTATION_FAILED', `Cannot attest process ${pid} (attestors: ${types})`, {
    cause: failures[0]?.error,
  })
}

const isRefusal = (error: unknown): boolean =>
  error instanceof SallyportError && (error.code === 'PROCESS_REFUSED' || error.code === 'WORKLOAD_CHANGED')
