import { type ErrorCode, type GrpcStatusName, SallyportError } from '../errors.ts'
import { RpcError } from '../wire/status.ts'

/** What statuses of agents that are not ours mean, where they mean something of their own. */
const codes: Partial<Record<GrpcStatusName, ErrorCode>> = {
  PERMISSION_DENIED: 'NO_IDENTITY',
  UNAVAILABLE: 'IDENTITY_PENDING',
  DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED',
  INVALID_ARGUMENT: 'REQUEST_INVALID',
  UNIMPLEMENTED: 'METHOD_UNIMPLEMENTED',
}

/** An error of the Workload API as one that has a code: agents of other projects answer with bare gRPC statuses. */
export function agentError(error: unknown): Error {
  if (error instanceof RpcError) {
    return new SallyportError(
      codes[error.grpc] ?? 'WORKLOAD_API_FAILED',
      `The Workload API answered ${error.message}`,
      {
        cause: error,
      },
    )
  }
  return error instanceof Error ? error : new SallyportError('INTERNAL', String(error))
}
