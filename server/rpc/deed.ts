import type { Call } from '../../src/wire/call.ts'
import { callerName } from '../access/caller.ts'
import type { Deed } from '../audit/deed.ts'
import type { RpcDeps } from './rpc-deps.ts'

/** Now, by whoever calls: what the journal says of every change. */
export function deedOf(call: Call, { callerOf, clock }: Pick<RpcDeps, 'callerOf' | 'clock'>): Deed {
  return { at: clock.now(), callerId: callerName(callerOf(call)) }
}
