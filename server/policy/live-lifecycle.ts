import { withoutEnded } from '../../src/policy/fast-lane.ts'
import type { BreakGlassSession, Grant, Lifecycle, Quarantine, RevokedSerial } from '../../src/policy/lifecycle.ts'
import type { BreakGlassRow, GrantRow, LifecycleObject, QuarantineRow, RevokedSerialRow } from '../store/policy-rows.ts'

/** What is live of stored rows: the same as the fast lane says entry by entry, for who comes later. */
export function liveLifecycle(rows: Iterable<LifecycleObject>, sequence: number, nowMs: number): Lifecycle {
  const quarantines: Quarantine[] = []
  const offboarded: string[] = []
  const grants: Grant[] = []
  const breakGlass: BreakGlassSession[] = []
  const revokedSerials: RevokedSerial[] = []
  for (const row of rows) {
    if (row.endedMs !== undefined) continue
    if (row.kind === 'quarantine' && !row.proposed) quarantines.push(quarantineOf(row))
    if (row.kind === 'offboarding' && row.entryId === undefined) offboarded.push(row.spiffeId)
    if (row.kind === 'grant' && isLive(row)) grants.push(grantOf(row))
    if (row.kind === 'breakGlass' && isLive(row)) breakGlass.push(sessionOf(row))
    if (row.kind === 'serial') revokedSerials.push(serialOf(row))
  }
  return withoutEnded({ sequence, quarantines, offboarded, grants, breakGlass, revokedSerials }, nowMs)
}

type Timed<T> = T & { readonly fromMs: number; readonly untilMs: number }

/** Approved: whether its time has passed is the clock's affair. */
export const isLive = <T extends GrantRow | BreakGlassRow>(row: T): row is Timed<T> =>
  row.endedMs === undefined && row.fromMs !== undefined && row.untilMs !== undefined

export function quarantineOf({ id, target, identities, forensics, reason, sinceMs }: QuarantineRow): Quarantine {
  return {
    id,
    target:
      target.kind === 'zone'
        ? { zone: target.id }
        : target.kind === 'node'
          ? { node: target.id, identities }
          : { identity: identities[0] ?? target.id },
    ...{ forensics, reason, since: sinceMs },
  }
}

export function grantOf({ id, template, subject, opens, fromMs, untilMs, by, approvers }: Timed<GrantRow>): Grant {
  return { id, template, subject, ...opens, from: fromMs, until: untilMs, requester: by, approvers }
}

export function sessionOf(row: Timed<BreakGlassRow>): BreakGlassSession {
  const { id, declaration, subjects, opens, fromMs, untilMs, startedBy } = row
  return { id, declaration, subjects, ...opens, since: fromMs, until: untilMs, startedBy }
}

export const serialOf = ({ spiffeId, serialNumber }: RevokedSerialRow): RevokedSerial => ({ spiffeId, serialNumber })
