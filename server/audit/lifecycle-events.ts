import { auditEvent, type Fact } from './audit-event.ts'
import type { Deed } from './deed.ts'
import type { AuditEventType } from './event-types.ts'
import type { AuditEvent } from './record.ts'

export type LifecycleEventType = Extract<
  AuditEventType,
  `quarantine.${string}` | `identity.${string}` | `grant.${string}` | `break-glass.${string}` | `serial.${string}`
>

/** Something that was done to an identity, with what and why. */
export const lifecycleEvent = (
  type: LifecycleEventType,
  { at, callerId }: Deed,
  facts: Readonly<Record<string, Fact>>,
): AuditEvent => auditEvent(type, at, { callerId, ...facts })
