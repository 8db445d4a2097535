import { lifecycleEvent } from '../audit/lifecycle-events.ts'
import type { LifecycleChange } from '../policy/fast-lane.ts'
import { isLive } from '../policy/live-lifecycle.ts'
import type { BreakGlassRow, GrantRow, LifecycleObject } from '../store/policy-rows.ts'
import { APPROVAL_LIMITS } from './approval-limits.ts'
import { changed, refused, type LifecycleDeps } from './lifecycle-deps.ts'

/** What somebody asks for and others approve. */
type Request = GrantRow | BreakGlassRow

/** The instant from which nobody can approve it any more. Rows of earlier versions do not say: then it is what is usual. */
export function approveByMsOf({ approveByMs, kind, sinceMs }: Request): number {
  const usualMs = kind === 'grant' ? APPROVAL_LIMITS.grantMs : APPROVAL_LIMITS.breakGlassMs
  return approveByMs ?? sinceMs + usualMs
}

/** Nobody has approved it in time. */
export const hasLapsed = (row: Request, nowMs: number): boolean =>
  row.fromMs === undefined && (row.endedMs ?? nowMs) >= approveByMsOf(row)

/** Ended by somebody, by its own end, or because nobody approved it in time: by the clock, whether somebody has written that down or not. */
export const isOver = (row: Request, nowMs: number): boolean =>
  row.endedMs !== undefined || (row.untilMs !== undefined && row.untilMs <= nowMs) || hasLapsed(row, nowMs)

/** @throws {@link SallyportError} `LIFECYCLE_REFUSED` for one that is live, over or lapsed */
export function checkWaits(row: Request, what: string, nowMs: number): void {
  if (row.endedMs === undefined && hasLapsed(row, nowMs)) {
    const by = new Date(approveByMsOf(row)).toISOString()
    throw refused(
      what,
      `it was to be approved by ${by}`,
      'Ask again: what was so urgent then may be another matter now.',
    )
  }
  if (isOver(row, nowMs) || isLive(row)) throw refused(what, 'it does not wait for approval')
}

/** Writes down which requests have lapsed, once for each. */
export async function endLapsed(at: Date, deps: Pick<LifecycleDeps, 'book' | 'fastLane'>): Promise<void> {
  const lapsed = (): Request[] =>
    [...deps.book.lifecycleRows()].filter(
      (row): row is Request => isRequest(row) && row.endedMs === undefined && hasLapsed(row, at.getTime()),
    )
  if (lapsed().length === 0) return
  await deps.fastLane.change((): LifecycleChange => {
    const rows = lapsed()
    return {
      mutations: rows.map((row) => ({
        kind: 'lifecycle.put',
        row: changed(row, { endedMs: at.getTime(), endedBy: 'server' }),
      })),
      // Agents have never heard of them.
      events: [],
      audit: rows.map((row) => lapsedEvent(row, at)),
    }
  })
}

const isRequest = (row: LifecycleObject): row is Request => row.kind === 'grant' || row.kind === 'breakGlass'

function lapsedEvent(row: Request, at: Date) {
  const facts = { reason: row.reason, requester: row.by, approveBy: new Date(approveByMsOf(row)).toISOString() }
  return row.kind === 'grant'
    ? lifecycleEvent(
        'grant.lapsed',
        { at },
        { grantId: row.id, template: row.template, spiffeId: row.subject, approvers: row.approvers, ...facts },
      )
    : lifecycleEvent(
        'break-glass.lapsed',
        { at },
        { sessionId: row.id, declaration: row.declaration, subjects: row.subjects, ...facts },
      )
}
