import type { Bundle } from '../../src/bundle/bundle.ts'
import { auditEvent } from './audit-event.ts'
import type { Deed } from './deed.ts'
import type { AuditEvent } from './record.ts'

export function bundleSet({ at, callerId }: Deed, bundle: Bundle): AuditEvent {
  return auditEvent('bundle.set', at, {
    callerId,
    trustDomain: bundle.trustDomain,
    sequenceNumber: bundle.sequenceNumber,
    x509Authorities: bundle.x509Authorities.length,
    jwtKeyIds: bundle.jwtAuthorities.map(({ keyId }) => keyId),
    witKeyIds: bundle.witAuthorities.length === 0 ? undefined : bundle.witAuthorities.map(({ keyId }) => keyId),
  })
}

export function bundleDeleted({ at, callerId }: Deed, trustDomain: string): AuditEvent {
  return auditEvent('bundle.deleted', at, { callerId, trustDomain })
}
