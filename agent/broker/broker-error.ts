import { type ErrorCode, SallyportError } from '../../src/errors.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { ended } from './workloads.ts'

/** It exists and gets nothing: one reason to a broker, whatever ours is. */
const notEntitled: readonly ErrorCode[] = ['NO_IDENTITY', 'IDENTITY_WITHHELD']
/** About the process and not about the broker, and maybe different when it is looked at again. */
const passing: readonly ErrorCode[] = [
  'CALLER_CHANGED',
  'PROCESS_REFUSED',
  'PROCESS_UNIDENTIFIABLE',
  'WORKLOAD_ATTESTATION_FAILED',
  'WORKLOAD_CHANGED',
]

/** What a broker is told of a failure about a workload: the reasons of the standard (BA-23), and UNAVAILABLE where asking again may help. */
export function brokerError(error: unknown, peer?: Peer): unknown {
  if (!(error instanceof SallyportError)) return error
  const { code, message, hint } = error
  const isPassing = passing.includes(code)
  if (isPassing && peer?.isAlive() === false) return ended(peer.pid, error)
  if (notEntitled.includes(code)) return new SallyportError('WORKLOAD_NOT_ENTITLED', message, { hint, cause: error })
  return isPassing ? new SallyportError('IDENTITY_PENDING', message, { hint, cause: error }) : error
}
