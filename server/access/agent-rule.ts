import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Clock } from '../../src/clock.ts'
import type { Directory } from '../entries/directory.ts'
import type { AttestedAgent, Store } from '../store/store.ts'
import { agentRefused } from './permission-denied.ts'
import type { ProvenIdentity } from './connection-identity.ts'

export interface AgentRuleDeps {
  readonly directory: Pick<Directory, 'agent' | 'reached'>
  readonly store: Pick<Store, 'commit'>
  readonly clock: Clock
}

/** How often a promotion is tried when the record changes at the same moment. */
const PROMOTE_ATTEMPTS = 5
const PROMOTE_PAUSE_MS = 20

/**
 * Is this record the one of an agent that presents an SVID of this serial number? Pure.
 *
 * @returns `pending` when the SVID is a renewed one that is used for the first time
 * @throws {@link SallyportError} `AGENT_REFUSED` with the reason that agents act on
 */
export function checkAgent(
  agentId: SpiffeId,
  agent: AttestedAgent | undefined,
  serialNumber: string,
): { readonly agent: AttestedAgent; readonly serial: 'current' | 'pending' } {
  if (agent === undefined) throw agentRefused('AGENT_NOT_ATTESTED', `Cannot serve ${agentId}: it is not attested`)
  if (agent.banned) throw agentRefused('AGENT_BANNED', `Cannot serve ${agentId}: it is banned`)
  if (agent.serialNumber === serialNumber) return { agent, serial: 'current' }
  if (agent.pendingSerialNumber === serialNumber) return { agent, serial: 'pending' }
  throw agentRefused('AGENT_NOT_ACTIVE', `Cannot serve ${agentId}: its X509-SVID was replaced by a newer one`)
}

/** Keeps the rule that one SVID of an agent is valid: the first use of a renewed one ends the one before. */
export class AgentRule {
  readonly #deps: AgentRuleDeps
  readonly #promoting = new Map<string, Promise<AttestedAgent>>()

  constructor(deps: AgentRuleDeps) {
    this.#deps = deps
  }

  /** @throws {@link SallyportError} `AGENT_REFUSED` */
  async check(identity: ProvenIdentity): Promise<AttestedAgent> {
    const { spiffeId, serialNumber } = identity
    const { agent, serial } = checkAgent(spiffeId, this.#deps.directory.agent(spiffeId), serialNumber)
    if (serial === 'current') return agent
    const key = `${spiffeId} ${serialNumber}`
    let promoting = this.#promoting.get(key)
    if (promoting === undefined) {
      promoting = this.#promote(identity).finally(() => this.#promoting.delete(key))
      this.#promoting.set(key, promoting)
    }
    return promoting
  }

  async #promote(identity: ProvenIdentity): Promise<AttestedAgent> {
    const { directory, store, clock } = this.#deps
    const { spiffeId, serialNumber } = identity
    for (let attempt = 0; attempt < PROMOTE_ATTEMPTS; attempt++) {
      const { agent, serial } = checkAgent(spiffeId, directory.agent(spiffeId), serialNumber)
      if (serial === 'current') return agent
      const promoted = promotedAgent(agent, identity)
      const outcome = await store.commit({
        mutations: [{ kind: 'agent.put', agent: promoted }],
        audit: [],
      })
      if (outcome.ok) {
        await directory.reached(outcome.revision)
        return directory.agent(spiffeId) ?? promoted
      }
      await clock.sleep(PROMOTE_PAUSE_MS)
    }
    throw new SallyportError('NOT_READY', `Cannot serve ${spiffeId}: its record changes too often at the moment`)
  }
}

/** The record after the first use of a renewed SVID; the last key that counts for a return is its key alone. */
export function promotedAgent(agent: AttestedAgent, identity: ProvenIdentity): AttestedAgent {
  return {
    ...agent,
    serialNumber: identity.serialNumber,
    expiresAt: agent.pendingExpiresAt ?? identity.expiresAt,
    pendingSerialNumber: undefined,
    pendingExpiresAt: undefined,
    keyHashes: [identity.keyHash],
    revisionNumber: agent.revisionNumber + 1,
  }
}
