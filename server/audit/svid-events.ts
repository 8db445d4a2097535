import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import { auditEvent } from './audit-event.ts'
import type { AuditEvent } from './record.ts'

/** What every issued SVID has in common. */
export interface Issuance {
  readonly at: Date
  readonly spiffeId: SpiffeId
  /** Who asked: an agent, an administrator; undefined for the server itself. */
  readonly callerId?: SpiffeId | string | undefined
  readonly entryId?: string | undefined
  readonly authorityId: string
  readonly expiresAt: Date
}

/** An X509-SVID was signed. The serial number, in decimal, is what a certificate seen on the wire is looked up by. */
export function x509SvidIssued(
  issued: Issuance & { readonly serialNumber: string; readonly use: 'workload' | 'agent' | 'server' | 'minted' | 'ca' },
): AuditEvent {
  const { at, ...facts } = issued
  return auditEvent('x509-svid.issued', at, { ...facts })
}

/** A JWT-SVID was signed. The token itself is never recorded; `tokenId` is its `jti`, where it has one. */
export function jwtSvidIssued(
  issued: Issuance & { readonly audience: readonly string[]; readonly tokenId?: string | undefined },
): AuditEvent {
  const { at, ...facts } = issued
  return auditEvent('jwt-svid.issued', at, { ...facts })
}
