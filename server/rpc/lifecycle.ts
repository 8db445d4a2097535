import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import type {
  AddQuarantineRequest,
  BreakGlassItem,
  GrantItem,
  lifecycleService,
  OffboardedItem,
  OffboardRequest,
  QuarantineItem,
  RevokedSerialItem,
} from '../../src/wire/messages/sallyport-server-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { approveBreakGlass, sessions, startBreakGlass, stopBreakGlass } from '../lifecycle/break-glass.ts'
import { approveGrant, grants, requestGrant, revokeGrant } from '../lifecycle/grants.ts'
import {
  listOffboarded,
  offboard,
  reinstate,
  type Offboarded,
  type OffboardingTarget,
} from '../lifecycle/offboarding.ts'
import { addQuarantine, quarantines, removeQuarantine } from '../lifecycle/quarantine.ts'
import { revokeSerial, serials } from '../lifecycle/serials.ts'
import { approveByMsOf, hasLapsed, isOver } from '../lifecycle/waiting.ts'
import { signedContentOf } from '../policy/signed-text.ts'
import type { BreakGlassRow, GrantRow, QuarantineRow, RevokedSerialRow } from '../store/policy-rows.ts'
import { deedOf } from './deed.ts'
import { limitOf } from './page.ts'
import type { RpcDeps } from './rpc-deps.ts'

const FAST_LANE_MAX = 1_000

/** `sallyport.server.v1.Lifecycle`. */
export function lifecycleHandlers(deps: RpcDeps): Handlers<typeof lifecycleService> {
  const { lifecycle, book, fastLane, store, clock } = deps
  const nowMs = (): number => clock.now().getTime()
  return {
    async addQuarantine(request, call) {
      const { forensics, reason } = request
      const order = { target: quarantineTarget(request), forensics, reason }
      checkMayQuarantine(order, call, deps)
      return quarantineMessage(await addQuarantine(order, deedOf(call, deps), lifecycle))
    },

    async removeQuarantine({ id, reason }, call) {
      const standing = quarantines(lifecycle).find((row) => row.id === id || row.target.id === id)
      if (standing !== undefined) checkMayQuarantine(standing, call, deps)
      return quarantineMessage(await removeQuarantine(id, reason, deedOf(call, deps), lifecycle))
    },

    async listQuarantines({ includeEnded }, call) {
      const all = [...book.lifecycleRows()].filter((row): row is QuarantineRow => row.kind === 'quarantine')
      const rows = all.filter((row) => mayQuarantine(row, call, deps))
      const shown = rows.filter(({ endedMs }) => includeEnded || endedMs === undefined)
      return { quarantines: shown.toSorted(bySince).map(quarantineMessage) }
    },

    async offboard(request, call) {
      const deed = deedOf(call, deps)
      return offboardedMessage(await offboard(offboardingTarget(request), request.reason, deed, lifecycle))
    },

    async reinstate(request, call) {
      const deed = deedOf(call, deps)
      return offboardedMessage(await reinstate(offboardingTarget(request), request.reason, deed, lifecycle))
    },

    listOffboarded: async () => ({ offboarded: listOffboarded(lifecycle).map(offboardedMessage) }),

    async requestGrant({ template, subject, durationSeconds, reason, ticket }, call) {
      const order = { template, subject, durationMs: durationSeconds * 1000, reason, ticket }
      return grantMessage(await requestGrant(order, deedOf(call, deps), lifecycle), nowMs())
    },

    async approveGrant({ id }, call) {
      return grantMessage(await approveGrant(id, deedOf(call, deps), lifecycle), nowMs())
    },

    async revokeGrant({ id, reason }, call) {
      return grantMessage(await revokeGrant(id, reason, deedOf(call, deps), lifecycle), nowMs())
    },

    async listGrants({ includeEnded }) {
      const shown = grants(lifecycle).filter((row) => includeEnded || !isOver(row, nowMs()))
      return { grants: shown.toSorted(bySince).map((row) => grantMessage(row, nowMs())) }
    },

    async startBreakGlass({ declaration, subjects, durationSeconds, reason }, call) {
      const order = { declaration, subjects, durationMs: durationSeconds * 1000, reason }
      return sessionMessage(await startBreakGlass(order, deedOf(call, deps), lifecycle), nowMs())
    },

    async approveBreakGlass({ id }, call) {
      return sessionMessage(await approveBreakGlass(id, deedOf(call, deps), lifecycle), nowMs())
    },

    async stopBreakGlass({ id, reason }, call) {
      return sessionMessage(await stopBreakGlass(id, reason, deedOf(call, deps), lifecycle), nowMs())
    },

    async listBreakGlass({ includeEnded }) {
      const shown = sessions(lifecycle).filter((row) => includeEnded || !isOver(row, nowMs()))
      return { sessions: shown.toSorted(bySince).map((row) => sessionMessage(row, nowMs())) }
    },

    revokeSerial: async (request, call) => serialMessage(await revokeSerial(request, deedOf(call, deps), lifecycle)),

    listRevokedSerials: async () => ({ serials: serials(lifecycle).toSorted(bySince).map(serialMessage) }),

    async getLifecycle() {
      const signed = await fastLane.snapshot()
      return { epoch: book.epoch, sequence: book.fastLaneSequence, lifecycle: signedContentOf(signed) }
    },

    async listFastLane({ afterSequence, limit }) {
      const rows = await store.fastLane(afterSequence, limitOf(limit, FAST_LANE_MAX, FAST_LANE_MAX))
      return { entries: rows.map(signedContentOf) }
    },
  }
}

/** One that is to be, or one that stands. */
type Quarantined = Pick<QuarantineRow, 'target'> & Partial<Pick<QuarantineRow, 'identities'>>

/** A node holds identities of any zone: it is for those who are bound to none. */
function checkMayQuarantine(
  { target: { kind, id }, identities }: Quarantined,
  call: Call,
  { zoneRights, directory }: RpcDeps,
): void {
  if (kind === 'zone') zoneRights.checkZone(call, id)
  else if (kind === 'entry') {
    // Of one that stands, whom it shuts out: the entry may have gone, and another one have its id.
    for (const one of identities ?? [directory.entry(id)?.spiffeId ?? id]) zoneRights.checkIdentity(call, one)
  } else if (kind === 'identity') zoneRights.checkIdentity(call, id)
  else if (zoneRights.zonesOf(call) !== undefined) zoneRights.checkZone(call, id)
}

function mayQuarantine(quarantine: Quarantined, call: Call, deps: RpcDeps): boolean {
  try {
    checkMayQuarantine(quarantine, call, deps)
    return true
  } catch (error) {
    if (error instanceof SallyportError) return false
    throw error
  }
}

const bySince = (a: { readonly sinceMs: number }, b: { readonly sinceMs: number }): number => a.sinceMs - b.sinceMs

function quarantineTarget({ identity, entryId, node, zone }: AddQuarantineRequest): QuarantineRow['target'] {
  if (identity !== undefined) return { kind: 'identity', id: identity }
  if (entryId !== undefined) return { kind: 'entry', id: entryId }
  if (node !== undefined) return { kind: 'node', id: node }
  if (zone !== undefined) return { kind: 'zone', id: zone }
  throw new SallyportError('REQUEST_INVALID', 'Cannot quarantine: nothing is named')
}

function offboardingTarget({ spiffeId, entryId }: Pick<OffboardRequest, 'spiffeId' | 'entryId'>): OffboardingTarget {
  if (spiffeId !== undefined) return { spiffeId }
  if (entryId !== undefined) return { entryId }
  throw new SallyportError('REQUEST_INVALID', 'Cannot offboard or reinstate: nothing is named')
}

function quarantineMessage(row: QuarantineRow): Sent<QuarantineItem> {
  const { id, target, identities, forensics, reason, by, sinceMs, proposed } = row
  return {
    ...{ id, kind: target.kind, target: target.id, identities, forensics, reason, by, sinceMs, proposed },
    ...{ endedMs: row.endedMs ?? 0, endedBy: row.endedBy ?? '' },
  }
}

function offboardedMessage({ spiffeId, complete, rows }: Offboarded): Sent<OffboardedItem> {
  const first = rows.toSorted(bySince)[0]
  return {
    ...{ spiffeId, complete, entryIds: rows.flatMap(({ entryId }) => entryId ?? []) },
    ...{ reason: first?.reason ?? '', by: first?.by ?? '', sinceMs: first?.sinceMs ?? 0 },
  }
}

function stateOf(row: GrantRow | BreakGlassRow, nowMs: number, early: string): string {
  const { fromMs, untilMs = 0, endedMs } = row
  if (hasLapsed(row, nowMs)) return 'lapsed'
  if (endedMs !== undefined) return fromMs === undefined ? 'refused' : early
  if (fromMs === undefined) return 'pending'
  return untilMs <= nowMs ? 'ended' : 'live'
}

function grantMessage(row: GrantRow, nowMs: number): Sent<GrantItem> {
  const { id, template, subject, reason, ticket, by, approvers, approvalsNeeded, approvalsFrom, sinceMs } = row
  return {
    ...{ id, template, subject, state: stateOf(row, nowMs, 'revoked'), reason, ticket, requester: by, approvers },
    ...{ approvalsNeeded, approvalsFrom, requestedMs: sinceMs, durationSeconds: Math.floor(row.durationMs / 1000) },
    ...{ fromMs: row.fromMs ?? 0, untilMs: row.untilMs ?? 0, endedBy: row.endedBy ?? '' },
    endedReason: row.endedReason ?? '',
    approveByMs: row.fromMs === undefined ? approveByMsOf(row) : 0,
  }
}

function sessionMessage(row: BreakGlassRow, nowMs: number): Sent<BreakGlassItem> {
  const { id, declaration, subjects, opens, reason, startedBy, approvalsNeeded, sinceMs } = row
  return {
    ...{ id, declaration, subjects, fromZones: opens.from, toZones: opens.to, reason, startedBy, approvalsNeeded },
    ...{
      state: stateOf(row, nowMs, 'stopped'),
      requestedMs: sinceMs,
      durationSeconds: Math.floor(row.durationMs / 1000),
    },
    ...{ sinceMs: row.fromMs ?? 0, untilMs: row.untilMs ?? 0, endedBy: row.endedBy ?? '' },
    endedReason: row.endedReason ?? '',
    approveByMs: row.fromMs === undefined ? approveByMsOf(row) : 0,
  }
}

const serialMessage = (row: RevokedSerialRow): Sent<RevokedSerialItem> => {
  const { spiffeId, serialNumber, reason, by, sinceMs, expiresMs = 0 } = row
  return { spiffeId, serialNumber, reason, by, sinceMs, expiresMs }
}
