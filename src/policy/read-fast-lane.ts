import type { FastLaneEntry, LifecycleDocument } from './fast-lane.ts'
import type { BreakGlassSession, Grant, Lifecycle, Quarantine, RevokedSerial } from './lifecycle.ts'
import { count, either, list, object, oneOf, optional, port, readDocument, tagged, text, type Shape } from './shape.ts'

/** A node in quarantine names every identity that it may have been issued. The server signs nothing longer. */
export const FAST_LANE_ENTRY_MAX_BYTES = 1024 * 1024
export const LIFECYCLE_MAX_BYTES = 3 * 1024 * 1024

const texts = list(text)

const quarantine: Shape<Quarantine> = object({
  id: text,
  target: either({
    identity: object({ identity: text }),
    zone: object({ zone: text }),
    node: object({ node: text, identities: texts }),
  }),
  forensics: texts,
  reason: text,
  since: count,
})

const grant: Shape<Grant> = object({
  id: text,
  template: text,
  subject: text,
  movement: object({
    from: object({ zone: text }),
    to: object({ zone: text, identities: optional(texts) }),
    allow: list(object({ protocol: oneOf('http', 'grpc', 'tcp'), ports: list(port) })),
  }),
  access: object({ to: text, actions: texts }),
  from: count,
  until: count,
  requester: text,
  approvers: texts,
})

const session: Shape<BreakGlassSession> = object({
  id: text,
  declaration: text,
  subjects: texts,
  from: texts,
  to: texts,
  overrides: list(oneOf('default-deny', 'rules')),
  since: count,
  until: count,
  startedBy: texts,
})

const serial: Shape<RevokedSerial> = object({ spiffeId: text, serialNumber: text })
const id = object({ id: text })
const identity = object({ spiffeId: text })

const entryOf = <const K extends string, T>(kind: K, body: Shape<T>) =>
  object({ v: oneOf(1), epoch: count, sequence: count, previous: text, at: count, kind: oneOf(kind), body })

const entry: Shape<FastLaneEntry> = tagged('kind', {
  'quarantine.add': entryOf('quarantine.add', quarantine),
  'quarantine.remove': entryOf('quarantine.remove', id),
  offboard: entryOf('offboard', identity),
  reinstate: entryOf('reinstate', identity),
  'grant.add': entryOf('grant.add', grant),
  'grant.end': entryOf('grant.end', id),
  'breakGlass.start': entryOf('breakGlass.start', session),
  'breakGlass.end': entryOf('breakGlass.end', id),
  'serial.revoke': entryOf('serial.revoke', serial),
  'serial.forget': entryOf('serial.forget', serial),
})

const lifecycle: Shape<Lifecycle> = object({
  sequence: count,
  quarantines: list(quarantine),
  offboarded: texts,
  grants: list(grant),
  breakGlass: list(session),
  revokedSerials: list(serial),
})

const document: Shape<LifecycleDocument> = object({
  v: oneOf(1),
  epoch: count,
  sequence: count,
  previous: text,
  at: count,
  lifecycle,
})

/**
 * Reads the content of a signed entry of the fast lane.
 *
 * @throws {@link SallyportError} `POLICY_DOCUMENT_INVALID`
 */
export const readFastLaneEntry = (content: Uint8Array): FastLaneEntry =>
  readDocument(content, FAST_LANE_ENTRY_MAX_BYTES, 'entry of the fast lane', entry)

/**
 * Reads the content of a signed snapshot of the fast lane.
 *
 * @throws {@link SallyportError} `POLICY_DOCUMENT_INVALID`
 */
export const readLifecycle = (content: Uint8Array): LifecycleDocument =>
  readDocument(content, LIFECYCLE_MAX_BYTES, 'snapshot of the fast lane', document)
