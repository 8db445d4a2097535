import { auditEvent } from './audit-event.ts'
import type { AuditEvent } from './record.ts'

/** A call that was refused: who, what, and with which code. */
export interface Refusal {
  /** Printed id of the caller, or its address when it has none. */
  readonly callerId: string
  readonly method: string
  readonly code: string
}

/** Equal refusals between `from` and `at`. */
export function callsRefused(at: Date, from: Date, refusal: Refusal, count: number): AuditEvent {
  const { callerId, method, code } = refusal
  return auditEvent('call.refused', at, { callerId, method, code, count, since: from })
}
