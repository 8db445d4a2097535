import { lifecycleEvent } from '../audit/lifecycle-events.ts'
import { isLive } from '../policy/live-lifecycle.ts'
import type { BreakGlassRow, GrantRow, LifecycleObject } from '../store/policy-rows.ts'
import { APPROVAL_LIMITS } from './approval-limits.ts'
import { endRows } from './change-row.ts'
import { refused, type LifecycleDeps } from './lifecycle-deps.ts'

/** What somebody asks for and others approve. */
export type Request = GrantRow | BreakGlassRow

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

/**
 * What one more approval makes of a request: no fewer are needed than when it was asked for, and with the last one its time begins.
 *
 * @param given by how many people, with this one
 * @param asked how many the policy of today asks for
 */
export function afterApproval(
  request: Request,
  { given, asked, nowMs }: { readonly given: number; readonly asked: number; readonly nowMs: number },
): Pick<Request, 'approvalsNeeded' | 'fromMs' | 'untilMs'> {
  const approvalsNeeded = Math.max(request.approvalsNeeded, asked)
  if (given < approvalsNeeded) return { approvalsNeeded }
  return { approvalsNeeded, fromMs: nowMs, untilMs: nowMs + request.durationMs }
}

/** Writes down which requests have lapsed, once for each. */
export async function endLapsed(at: Date, deps: Pick<LifecycleDeps, 'book' | 'fastLane'>): Promise<void> {
  await endRows(at, deps, () => {
    const requests = [...deps.book.lifecycleRows()].filter(isRequest)
    const lapsed = requests.filter((row) => row.endedMs === undefined && hasLapsed(row, at.getTime()))
    // Agents have never heard of them.
    return lapsed.map((row) => ({ row, events: [], audit: [lapsedEvent(row, at)] }))
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
