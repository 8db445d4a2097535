import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import { auditEvent } from './audit-event.ts'
import type { Deed } from './deed.ts'
import type { AuditEvent } from './record.ts'

/** How a node joined, and what it joined with. */
export interface Attestation {
  readonly at: Date
  readonly spiffeId: SpiffeId
  readonly attestationType: string
  readonly address: string
  readonly serialNumber: string
  readonly expiresAt: Date
}

export function agentAttested({ at, ...facts }: Attestation): AuditEvent {
  return auditEvent('agent.attested', at, facts)
}

/** An agent came back by proof of its last key. */
export function agentRejoined({ at, ...facts }: Attestation): AuditEvent {
  return auditEvent('agent.rejoined', at, facts)
}

export function agentRenewed({ at, ...facts }: Omit<Attestation, 'attestationType' | 'address'>): AuditEvent {
  return auditEvent('agent.renewed', at, facts)
}

export function agentBanned({ at, callerId }: Deed, spiffeId: SpiffeId): AuditEvent {
  return auditEvent('agent.banned', at, { callerId, spiffeId })
}

export function agentEvicted({ at, callerId }: Deed, spiffeId: SpiffeId): AuditEvent {
  return auditEvent('agent.evicted', at, { callerId, spiffeId })
}

/** Removed because its SVID expired long ago. */
export function agentPurged({ at, callerId }: Deed, spiffeId: SpiffeId, expiresAt: Date): AuditEvent {
  return auditEvent('agent.purged', at, { callerId, spiffeId, expiresAt })
}

/** One agent id on two streams: a copied key, or two machines with one identity. */
export function agentDuplicated(at: Date, spiffeId: SpiffeId, addresses: readonly string[]): AuditEvent {
  return auditEvent('agent.duplicated', at, { spiffeId, addresses })
}
