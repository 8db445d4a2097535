import { idToMessage } from '../../src/wire/id-message.ts'
import type { Agent, AgentMask } from '../../src/wire/messages/spire-api-types.ts'
import type { AttestedAgent } from '../store/store.ts'
import { masked } from './mask.ts'

/** An agent as the API shows it; the id is always there. */
export function agentToMessage(agent: AttestedAgent, mask: AgentMask | null = null): Partial<Agent> {
  const message: Agent = {
    id: idToMessage(agent.spiffeId),
    attestationType: agent.attestationType,
    x509svidSerialNumber: agent.serialNumber,
    x509svidExpiresAt: Math.floor(agent.expiresAt.getTime() / 1000),
    selectors: agent.selectors,
    banned: agent.banned,
    canReattest: agent.canReattest,
    agentVersion: agent.version,
  }
  return masked(message, ['id'], mask)
}
