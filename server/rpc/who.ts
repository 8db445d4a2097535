import type { Call } from '../../src/wire/call.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { RpcDeps } from './rpc-deps.ts'

/** Who did something, as the journal keeps it: a user of this machine, or an id and an address. */
export function whoOf(call: Call, { callerOf }: Pick<RpcDeps, 'callerOf'>): AuditEvent['facts'] {
  const caller = callerOf(call)
  if (caller.kind === 'local') return { uid: caller.uid, pid: caller.pid, requestId: call.requestId }
  if (caller.kind === 'anyone') return { address: caller.address, requestId: call.requestId }
  return { callerId: caller.spiffeId.toString(), address: caller.address, requestId: call.requestId }
}
