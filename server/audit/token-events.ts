import type { JoinToken } from '../store/store.ts'
import { auditEvent } from './audit-event.ts'
import type { Deed } from './deed.ts'
import type { AuditEvent } from './record.ts'

/** Records name a token by the start of its hash: enough to find it, nothing to use it with. */
const SHOWN_HASH_CHARACTERS = 16

export function tokenCreated({ at, callerId }: Deed, token: JoinToken): AuditEvent {
  const { expiresAt, aliasId, addressRange } = token
  return auditEvent('token.created', at, { callerId, tokenHash: shown(token.hash), expiresAt, aliasId, addressRange })
}

export function tokenSpent(at: Date, hash: string, address: string): AuditEvent {
  return auditEvent('token.spent', at, { tokenHash: shown(hash), address })
}

/** A second use of a token: somebody else has it. Both addresses are named. */
export function tokenReused(at: Date, token: JoinToken, address: string): AuditEvent {
  const { spent, hash } = token
  return auditEvent('token.reused', at, {
    tokenHash: shown(hash),
    address,
    firstAddress: spent?.address,
    firstUsedAt: spent?.at,
  })
}

/** A token that is unknown, expired, or used from outside its range. */
export function tokenRefused(at: Date, hash: string, address: string, reason: string): AuditEvent {
  return auditEvent('token.refused', at, { tokenHash: shown(hash), address, reason })
}

const shown = (hash: string): string => hash.slice(0, SHOWN_HASH_CHARACTERS)
