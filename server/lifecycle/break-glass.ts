import type { BreakGlass } from '../../src/policy/policy-set.ts'
import type { Deed } from '../audit/deed.ts'
import { lifecycleEvent } from '../audit/lifecycle-events.ts'
import { isLive, sessionOf } from '../policy/live-lifecycle.ts'
import type { CurrentPolicy } from '../policy/policy-book.ts'
import type { BreakGlassRow, LifecycleObject } from '../store/policy-rows.ts'
import { changed, changeRow } from './change-row.ts'
import { endNoMoreGiven, endRequest, type EndOf } from './end-request.ts'
import {
  checkBelongs,
  checkReason,
  isRegistered,
  nameOf,
  newId,
  notFound,
  policyFor,
  refused,
  registeredId,
  type LifecycleDeps,
} from './lifecycle-deps.ts'
import { offersSession } from './still-offered.ts'
import { afterApproval, checkWaits } from './waiting.ts'

/** Whatever a declaration says (SE-46, §3.10). */
export const BREAK_GLASS_PEOPLE = 2
export const BREAK_GLASS_MAX_MS = 60 * 60_000
/** The most subjects of one session. */
const SUBJECTS_MAX = 100

export interface BreakGlassOrder {
  readonly declaration: string
  readonly subjects: readonly string[]
  /** 0: as long as the declaration allows. */
  readonly durationMs: number
  readonly reason: string
}

const WHAT = 'start break-glass'

/**
 * Starts a session as the first person; the second makes it live (SE-46).
 *
 * @throws {@link SallyportError} `LIFECYCLE_REFUSED`, `LIFECYCLE_NOT_FOUND`, `SPIFFE_ID_INVALID`
 */
export async function startBreakGlass(order: BreakGlassOrder, deed: Deed, deps: LifecycleDeps): Promise<BreakGlassRow> {
  return await changeRow(deps, () => {
    checkReason(WHAT, order.reason)
    const declaration = declarationOf(order.declaration, deps)
    const starter = nameOf(deed)
    checkBelongs(WHAT, declaration.activate, starter, deps)
    const subjects = subjectsOf(order, declaration, deps)
    const longest = checkDuration(order, declaration)
    const { from, to, overrides } = declaration
    const row: BreakGlassRow = {
      ...{ kind: 'breakGlass', id: newId('bg', deps), revisionNumber: 0, declaration: declaration.id, subjects },
      ...{ opens: { from, to, overrides }, durationMs: order.durationMs === 0 ? longest : order.durationMs },
      ...{ reason: order.reason, by: starter, sinceMs: deed.at.getTime(), startedBy: [starter] },
      approvalsNeeded: Math.max(BREAK_GLASS_PEOPLE, declaration.approvals),
      ...{ approvalsFrom: declaration.activate, approveByMs: deed.at.getTime() + deps.approvals.breakGlassMs },
    }
    return {
      row,
      events: [],
      audit: [lifecycleEvent('break-glass.requested', deed, factsOf(row))],
    }
  })
}

export async function approveBreakGlass(id: string, deed: Deed, deps: LifecycleDeps): Promise<BreakGlassRow> {
  return await changeRow(deps, () => {
    const pending = sessionRow(id, deps)
    const what = `approve ${id}`
    const approver = nameOf(deed)
    const nowMs = deed.at.getTime()
    checkWaits(pending, what, nowMs)
    if (pending.startedBy.includes(approver))
      throw refused(what, `${approver} has started it: another person is needed`)
    const declaration = declarationOf(pending.declaration, deps)
    checkBelongs(WHAT, declaration.activate, approver, deps)
    checkDuration(pending, declaration)
    if (!offersSession(declaration, pending.opens)) {
      throw refused(what, `${declaration.id} opens less than when it was started`, 'Start another one.')
    }
    subjectsOf(pending, declaration, deps)
    const startedBy = [...pending.startedBy, approver]
    const approval = { given: startedBy.length, asked: declaration.approvals, nowMs }
    const row = changed(pending, { startedBy, ...afterApproval(pending, approval) })
    return {
      row,
      events: isLive(row) ? [{ kind: 'breakGlass.start', body: sessionOf(row) }] : [],
      audit: [lifecycleEvent('break-glass.started', deed, { ...factsOf(row), live: isLive(row) })],
    }
  })
}

const endOfSession: EndOf<BreakGlassRow> = {
  event: ({ id }) => ({ kind: 'breakGlass.end', body: { id } }),
  audit: (row, deed, reason) => lifecycleEvent('break-glass.stopped', deed, { ...factsOf(row), reason }),
}

export async function stopBreakGlass(
  id: string,
  reason: string,
  deed: Deed,
  deps: LifecycleDeps,
): Promise<BreakGlassRow> {
  const standing = { what: 'stop break-glass', find: () => sessionRow(id, deps), reason }
  return await endRequest(standing, endOfSession, deed, deps)
}

/** Its declaration asks for more than the session has, or concerns none of its subjects any more (§3.10). */
export async function recheckSessions(at: Date, deps: LifecycleDeps): Promise<void> {
  const standing = { all: () => sessions(deps), whyNot: (row: BreakGlassRow) => whyNotAnyMore(row, deps) }
  await endNoMoreGiven(standing, endOfSession, at, deps)
}

function whyNotAnyMore(row: BreakGlassRow, deps: LifecycleDeps): string | undefined {
  const { declaration: name, subjects, opens, durationMs, startedBy } = row
  const declared = policyFor(WHAT, deps).breakGlass.find(({ id }) => id === name)
  if (declared === undefined) return `the policy has no declaration ${name} any more`
  if (!offersSession(declared, opens)) return `declaration ${name} does not open all of what it opens any more`
  const { maxDurationMs, approvals, from } = declared
  if (durationMs > maxDurationMs) return `declaration ${name} allows ${maxDurationMs / 60_000} minutes at most now`
  if (startedBy.length < approvals)
    return `declaration ${name} asks for ${approvals} people now, and it has ${startedBy.length}`
  if (subjects.some((one) => isRegistered(one, deps) && isIn(one, from, deps))) return undefined
  return `none of its subjects is registered in a zone that declaration ${name} starts from`
}

function isIn(subject: string, zones: readonly string[], { book }: LifecycleDeps): boolean {
  const zone = (book.current as CurrentPolicy).members.partyOf(subject).zone?.id
  return zone !== undefined && zones.includes(zone)
}

export const sessions = ({ book }: Pick<LifecycleDeps, 'book'>): BreakGlassRow[] =>
  [...book.lifecycleRows()].filter(isSession)

const isSession = (row: LifecycleObject): row is BreakGlassRow => row.kind === 'breakGlass'

function sessionRow(id: string, { book }: LifecycleDeps): BreakGlassRow {
  const row = book.lifecycleRow(id)
  if (row?.kind !== 'breakGlass') throw notFound('break-glass session', id)
  return row
}

function declarationOf(id: string, deps: LifecycleDeps): BreakGlass {
  const declaration = policyFor(WHAT, deps).breakGlass.find((one) => one.id === id)
  if (declaration === undefined) throw notFound('break-glass declaration', id)
  return declaration
}

/** @returns the longest that the declaration allows, in milliseconds */
function checkDuration({ durationMs }: Pick<BreakGlassOrder, 'durationMs'>, { id, maxDurationMs }: BreakGlass): number {
  const longest = Math.min(maxDurationMs, BREAK_GLASS_MAX_MS)
  if (durationMs >= 0 && durationMs <= longest) return longest
  throw refused(WHAT, `${id} allows ${longest / 60_000} minutes at most`)
}

/** Registered ids, in the zones that the declaration starts from (ZO-60). */
function subjectsOf(
  { subjects }: Pick<BreakGlassOrder, 'subjects'>,
  { from, id }: BreakGlass,
  deps: LifecycleDeps,
): readonly string[] {
  if (subjects.length === 0) throw refused(WHAT, 'it must name the identities that it is for')
  if (subjects.length > SUBJECTS_MAX) throw refused(WHAT, `more than ${SUBJECTS_MAX} identities`)
  return [...new Set(subjects)].map((text) => {
    const subject = registeredId(WHAT, text, deps)
    if (!isIn(subject, from, deps)) {
      throw refused(WHAT, `${subject} is in none of the zones that ${id} starts from: ${from.join(', ')}`)
    }
    return subject
  })
}

const factsOf = ({ id, declaration, subjects, reason, startedBy, opens }: BreakGlassRow) => ({
  ...{ sessionId: id, declaration, subjects, reason, startedBy, from: opens.from, to: opens.to },
})
