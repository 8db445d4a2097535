import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { AttestedAgent } from '../store/store.ts'
import type { RpcDeps } from './rpc-deps.ts'

/** A record that somebody else changes at the same moment is read again this often, this far apart. */
const TRIES = 5
const RETRY_MS = 10

export interface AgentChange {
  readonly agent: AttestedAgent
  readonly audit: readonly AuditEvent[]
}

/**
 * Changes an agent's record as it stands at the moment of the commit; undefined leaves it alone.
 *
 * @throws {@link SallyportError} `AGENT_NOT_FOUND`, `CONCURRENT_CHANGE`
 */
export async function changeAgent(
  agentId: SpiffeId,
  { directory, store, clock }: Pick<RpcDeps, 'directory' | 'store' | 'clock'>,
  change: (before: AttestedAgent) => AgentChange | undefined,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const before = directory.agent(agentId)
    if (before === undefined) throw agentNotFound(agentId)
    const wanted = change(before)
    if (wanted === undefined) return
    const agent = { ...wanted.agent, revisionNumber: before.revisionNumber + 1 }
    const outcome = await store.commit({ mutations: [{ kind: 'agent.put', agent }], audit: wanted.audit })
    if (outcome.ok) return directory.reached(outcome.revision)
    await clock.sleep(RETRY_MS)
  }
  throw new SallyportError(
    'CONCURRENT_CHANGE',
    `Cannot change agent ${agentId.toString()}: it was changed at the same moment`,
  )
}

export const agentNotFound = (agentId: SpiffeId): SallyportError =>
  new SallyportError('AGENT_NOT_FOUND', `Agent not found: ${agentId.toString()}`)
