import { auditEvent } from './audit-event.ts'
import type { AuditEvent } from './record.ts'

export function serverStarted(at: Date, serverId: string, version: string, configHash: string): AuditEvent {
  return auditEvent('server.started', at, { serverId, version, configHash })
}

export function serverStopped(at: Date, serverId: string): AuditEvent {
  return auditEvent('server.stopped', at, { serverId })
}
