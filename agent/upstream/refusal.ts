import { SallyportError, type GrpcStatusName } from '../../src/errors.ts'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import {
  permissionDeniedDetailsType,
  type PermissionDeniedDetailsReason,
} from '../../src/wire/messages/spire-api-types.ts'
import { RpcError } from '../../src/wire/status.ts'

/** The gRPC status that an error has or would have. */
export function grpcStatusOf(error: unknown): GrpcStatusName | undefined {
  if (error instanceof SallyportError) return error.row.grpc
  return error instanceof RpcError ? error.grpc : undefined
}

/** What a refusal means for this agent. */
export type Refusal = 'banned' | 'must-reattest'

/** Reads SPIRE's PermissionDeniedDetails (client-quirks 47); undefined when the error is no such refusal. */
export function refusalOf(error: unknown): Refusal | undefined {
  const reason = reasonOf(error)
  if (reason === 'AGENT_BANNED') return 'banned'
  return reason === undefined || reason === 'UNKNOWN' ? undefined : 'must-reattest'
}

function reasonOf(error: unknown): PermissionDeniedDetailsReason | undefined {
  const detail = error instanceof SallyportError || error instanceof RpcError ? error.detail : undefined
  if (detail === undefined || !detail.typeUrl.endsWith('/spire.api.types.PermissionDeniedDetails')) return undefined
  try {
    return decodeMessage(permissionDeniedDetailsType, detail.value).reason
  } catch {
    // What cannot be read refuses without a reason.
    return undefined
  }
}
