import { printSelector } from '../../src/entry/selector.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { auditEvent } from './audit-event.ts'
import type { Deed } from './deed.ts'
import type { AuditEvent } from './record.ts'

export function entryCreated(deed: Deed, entry: RegistrationEntry): AuditEvent {
  return auditEvent('entry.created', deed.at, { callerId: deed.callerId, ...factsOf(entry) })
}

export function entryUpdated(deed: Deed, entry: RegistrationEntry): AuditEvent {
  return auditEvent('entry.updated', deed.at, { callerId: deed.callerId, ...factsOf(entry) })
}

export function entryDeleted(deed: Deed, entry: RegistrationEntry): AuditEvent {
  return auditEvent('entry.deleted', deed.at, { callerId: deed.callerId, ...factsOf(entry) })
}

/** What decides who gets the identity, and what powers come with it. */
function factsOf(entry: RegistrationEntry) {
  return {
    entryId: entry.id,
    spiffeId: entry.spiffeId,
    parentId: entry.parentId,
    selectors: entry.selectors.map(printSelector),
    federatesWith: entry.federatesWith.length === 0 ? undefined : entry.federatesWith,
    dnsNames: entry.dnsNames.length === 0 ? undefined : entry.dnsNames,
    labels: labelFacts(entry),
    admin: entry.admin || undefined,
    downstream: entry.downstream || undefined,
    expiresAt: entry.expiresAt,
    revisionNumber: entry.revisionNumber,
  }
}

function labelFacts({ labels }: RegistrationEntry): readonly string[] | undefined {
  const texts = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return texts.length === 0 ? undefined : texts.toSorted()
}
