import type { BreakGlassSession, Grant, Lifecycle, Quarantine, RevokedSerial } from './lifecycle.ts'

/** What one entry of the fast lane does. Ids of what it ends are those of what was added. */
export type FastLaneEvent =
  | { readonly kind: 'quarantine.add'; readonly body: Quarantine }
  | { readonly kind: 'quarantine.remove'; readonly body: { readonly id: string } }
  | { readonly kind: 'offboard'; readonly body: { readonly spiffeId: string } }
  | { readonly kind: 'reinstate'; readonly body: { readonly spiffeId: string } }
  | { readonly kind: 'grant.add'; readonly body: Grant }
  | { readonly kind: 'grant.end'; readonly body: { readonly id: string } }
  | { readonly kind: 'breakGlass.start'; readonly body: BreakGlassSession }
  | { readonly kind: 'breakGlass.end'; readonly body: { readonly id: string } }
  | { readonly kind: 'serial.revoke'; readonly body: RevokedSerial }
  | { readonly kind: 'serial.forget'; readonly body: RevokedSerial }

/** The content of a signed entry of the fast lane, as canonical JSON says it. Sequences have no gaps within an epoch. */
export type FastLaneEntry = FastLaneEvent & {
  readonly v: 1
  readonly epoch: number
  readonly sequence: number
  /** SHA-256 (hex) of the content before it; empty for the first. */
  readonly previous: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** The content of a signed snapshot of the fast lane; `previous` is that of the entry after `sequence`. */
export interface LifecycleDocument {
  readonly v: 1
  readonly epoch: number
  readonly sequence: number
  readonly previous: string
  readonly at: number
  readonly lifecycle: Lifecycle
}

/** The lifecycle after one entry more. Whether the entry follows (sequence, `previous`, signature) was checked before. */
export function applyFastLane(lifecycle: Lifecycle, entry: FastLaneEvent & { readonly sequence: number }): Lifecycle {
  return { ...lifecycle, ...changed(lifecycle, entry), sequence: entry.sequence }
}

function changed(lifecycle: Lifecycle, { kind, body }: FastLaneEvent): Partial<Lifecycle> {
  switch (kind) {
    case 'quarantine.add':
      return { quarantines: [...without(lifecycle.quarantines, body), body] }
    case 'quarantine.remove':
      return { quarantines: without(lifecycle.quarantines, body) }
    case 'offboard':
      return { offboarded: [...lifecycle.offboarded.filter((id) => id !== body.spiffeId), body.spiffeId] }
    case 'reinstate':
      return { offboarded: lifecycle.offboarded.filter((id) => id !== body.spiffeId) }
    case 'grant.add':
      return { grants: [...without(lifecycle.grants, body), body] }
    case 'grant.end':
      return { grants: without(lifecycle.grants, body) }
    case 'breakGlass.start':
      return { breakGlass: [...without(lifecycle.breakGlass, body), body] }
    case 'breakGlass.end':
      return { breakGlass: without(lifecycle.breakGlass, body) }
    case 'serial.revoke':
      return { revokedSerials: [...others(lifecycle.revokedSerials, body), body] }
    case 'serial.forget':
      return { revokedSerials: others(lifecycle.revokedSerials, body) }
  }
}

/** The lifecycle without what has ended by the clock: it says the same, in fewer words. */
export function withoutEnded(lifecycle: Lifecycle, nowMs: number): Lifecycle {
  return {
    ...lifecycle,
    grants: lifecycle.grants.filter(({ until }) => nowMs < until),
    breakGlass: lifecycle.breakGlass.filter(({ until }) => nowMs < until),
  }
}

const without = <T extends { readonly id: string }>(list: readonly T[], { id }: { readonly id: string }): T[] =>
  list.filter((one) => one.id !== id)

const others = (list: readonly RevokedSerial[], serial: RevokedSerial): RevokedSerial[] =>
  list.filter(({ spiffeId, serialNumber }) => spiffeId !== serial.spiffeId || serialNumber !== serial.serialNumber)
