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
export const agentError = (error: unknown): Error => errorWithCode(error, 'The Workload API', codes)

/** An error of an API as one that has a code, by what statuses mean there. */
export function errorWithCode(
  error: unknown,
  api: string,
  meanings: Readonly<Partial<Record<GrpcStatusName, ErrorCode>>>,
): Error {
  if (error instanceof RpcError) {
    const code = meanings[error.grpc] ?? 'WORKLOAD_API_FAILED'
    return new SallyportError(code, `${api} answered ${error.message}`, { cause: error })
  }
  return error instanceof Error ? error : new SallyportError('INTERNAL', String(error))
}
