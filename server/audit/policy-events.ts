import { auditEvent } from './audit-event.ts'
import type { Deed } from './deed.ts'
import type { AuditEvent } from './record.ts'

/** What the journal keeps of a policy. */
export interface PolicyFacts {
  readonly digest: string
  readonly note: string
}

export function policyApplied(
  { at, callerId }: Deed,
  applied: PolicyFacts & { readonly revision: number; readonly rolledBackTo: number; readonly acceptedLosses: number },
): AuditEvent {
  const { revision, digest, note } = applied
  const rolledBackTo = applied.rolledBackTo || undefined
  const acceptedLosses = applied.acceptedLosses || undefined
  return auditEvent('policy.applied', at, { callerId, revision, digest, note, rolledBackTo, acceptedLosses })
}

export const policyPending = ({ at, callerId }: Deed, { digest, note }: PolicyFacts): AuditEvent =>
  auditEvent('policy.pending', at, { callerId, digest, note })

export const policyCosigned = ({ at, callerId }: Deed, digest: string, keyId: string): AuditEvent =>
  auditEvent('policy.cosigned', at, { callerId, digest, keyId })

export const policyKeyRotated = ({ at, callerId }: Deed, keyId: string, reason: string): AuditEvent =>
  auditEvent('policy-key.rotated', at, { callerId, keyId, reason })

export const policyKeysVouched = ({ at, callerId }: Deed, keyId: string, reason: string): AuditEvent =>
  auditEvent('policy-key.vouched', at, { callerId, keyId, reason })

export const policyKeyRevoked = ({ at, callerId }: Deed, keyId: string, reason: string): AuditEvent =>
  auditEvent('policy-key.revoked', at, { callerId, keyId, reason })
