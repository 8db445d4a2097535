import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import type { AgentCaller } from '../access/caller.ts'
import type { RpcDeps } from './rpc-deps.ts'

/** The agent that calls. Access let nobody else through; a handler that is reached by another one is our mistake. */
export function agentCallerOf(call: Call, { callerOf }: Pick<RpcDeps, 'callerOf'>): AgentCaller {
  const caller = callerOf(call)
  if (caller.kind === 'agent') return caller
  throw new SallyportError('INTERNAL', `${call.method} was reached by a caller of kind ${caller.kind}`)
}
