import type { AuthorityRow } from '../store/store.ts'
import { auditEvent } from './audit-event.ts'
import type { Deed } from './deed.ts'
import type { AuditEvent } from './record.ts'

const typeOfState = {
  prepared: 'authority.prepared',
  published: 'authority.published',
  active: 'authority.activated',
  old: 'authority.retired',
  removed: 'authority.removed',
} as const

/** An authority entered the state that its row says. `missingAgents` had not acknowledged it when it was activated all the same. */
export function authorityChanged(deed: Deed, row: AuthorityRow, missingAgents: readonly string[] = []): AuditEvent {
  const missing = missingAgents.length === 0 ? undefined : missingAgents
  return auditEvent(typeOfState[row.state], deed.at, { ...factsOf(deed, row), missingAgents: missing })
}

/** Everything it signed is to be replaced soon. */
export function authorityTainted(deed: Deed, row: AuthorityRow): AuditEvent {
  return auditEvent('authority.tainted', deed.at, factsOf(deed, row))
}

/** Nothing it signed is believed from now on. */
export function authorityRevoked(deed: Deed, row: AuthorityRow): AuditEvent {
  return auditEvent('authority.revoked', deed.at, factsOf(deed, row))
}

const factsOf = ({ callerId }: Deed, { serverId, kind, authorityId, keyType, notAfter }: AuthorityRow) => ({
  callerId,
  serverId,
  kind,
  authorityId,
  keyType,
  expiresAt: notAfter,
})
