import { idToMessage } from '../../src/wire/id-message.ts'
import type { Agent, AgentMask } from '../../src/wire/messages/spire-api-types.ts'
import type { AttestedAgent } from '../store/store.ts'
import { secondsOf } from './svid-message.ts'

/** An agent as the API shows it: the id always, the other fields where the mask wants them. */
export function agentToMessage(agent: AttestedAgent, mask: AgentMask | null = null): Partial<Agent> {
  const message: Agent = {
    id: idToMessage(agent.spiffeId),
    attestationType: agent.attestationType,
    x509svidSerialNumber: agent.serialNumber,
    x509svidExpiresAt: secondsOf(agent.expiresAt),
    selectors: agent.selectors,
    banned: agent.banned,
    canReattest: agent.canReattest,
    agentVersion: agent.version,
  }
  if (mask === null) return message
  const kept = Object.entries(message).filter(([name]) => name === 'id' || mask[name as keyof AgentMask])
  return Object.fromEntries(kept) as Partial<Agent>
}
