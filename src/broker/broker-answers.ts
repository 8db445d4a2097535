import { type ErrorCode, type GrpcStatusName, SallyportError } from '../errors.ts'
import { errorWithCode } from '../workload/agent-error.ts'
import type { Consequence } from '../workload/watch.ts'

/** What statuses mean that come without a reason, as they do from some agents (BA-24). */
const meanings: Partial<Record<GrpcStatusName, ErrorCode>> = {
  NOT_FOUND: 'WORKLOAD_NOT_FOUND',
  PERMISSION_DENIED: 'BROKER_REFUSED',
  UNAUTHENTICATED: 'CALLER_UNPROVEN',
  UNAVAILABLE: 'IDENTITY_PENDING',
  DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED',
  INVALID_ARGUMENT: 'REQUEST_INVALID',
  UNIMPLEMENTED: 'METHOD_UNIMPLEMENTED',
}

/** An error of the broker endpoint as one that has a code. */
export const brokerError = (error: unknown): Error => errorWithCode(error, 'The broker endpoint', meanings)

/**
 * What an answer means for what is held of a workload, and when to ask again.
 *
 * @param renewed resolves when this broker has another SVID than the call was made with
 * @see BE-15, BE-16, BA-27, BA-28, BA-30
 */
export function consequenceOf(
  error: Error,
  status: GrpcStatusName,
  renewed: (signal: AbortSignal) => Promise<void>,
): Consequence {
  switch (status) {
    case 'INVALID_ARGUMENT':
    case 'UNIMPLEMENTED':
    case 'FAILED_PRECONDITION':
      return { isFinal: true }
    case 'UNAUTHENTICATED':
      // The same certificate would be refused again.
      return { ready: renewed }
    case 'NOT_FOUND':
      return { withdraws: true }
    case 'PERMISSION_DENIED':
      // The agent says that it is about the workload, or it is about this broker: then somebody must change a configuration first.
      return { withdraws: true, isSlow: !isAboutWorkload(error) }
    default:
      return {}
  }
}

/** Has this broker been refused, rather than one workload? */
export const isBrokerRefused = (error: unknown): boolean =>
  error instanceof SallyportError && error.row.grpc === 'PERMISSION_DENIED' && !isAboutWorkload(error)

const isAboutWorkload = (error: Error): boolean =>
  error instanceof SallyportError && error.code === 'WORKLOAD_NOT_ENTITLED'
