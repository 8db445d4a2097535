import type { FastLaneEvent } from '../../src/policy/fast-lane.ts'
import type { Deed } from '../audit/deed.ts'
import type { AuditEvent } from '../audit/record.ts'
import { isLive } from '../policy/live-lifecycle.ts'
import { changed, changeRow, endRows } from './change-row.ts'
import { nameOf, refused, type LifecycleDeps } from './lifecycle-deps.ts'
import { isOver, type Request } from './waiting.ts'

/** What the end of a live request is to agents, and what the journal keeps of any; without a person where the server ends it. */
export interface EndOf<T extends Request> {
  readonly event: (row: T) => FastLaneEvent
  readonly audit: (row: T, deed: Deed | Pick<Deed, 'at'>, reason: string) => AuditEvent
}

/**
 * Ends a request early, or refuses one that waits.
 *
 * @param find looks anew for each try
 * @throws {@link SallyportError} `LIFECYCLE_REFUSED` when it is over
 */
export async function endRequest<T extends Request>(
  { what, find, reason }: { readonly what: string; readonly find: () => T; readonly reason: string },
  { event, audit }: EndOf<T>,
  deed: Deed,
  deps: LifecycleDeps,
): Promise<T> {
  return await changeRow(deps, () => {
    const standing = find()
    if (isOver(standing, deed.at.getTime())) throw refused(what, `${standing.id} has ended already`)
    const end = { endedMs: deed.at.getTime(), endedBy: nameOf(deed), endedReason: reason }
    return {
      row: changed<Request>(standing, end) as T,
      // Agents have never heard of one that only waited.
      events: isLive<Request>(standing) ? [event(standing)] : [],
      audit: [audit(standing, deed, reason)],
    }
  })
}

/**
 * Ends what would not be given any more. Peers ignore it by the same law, so that nothing is called live that opens nothing; it does not
 * come back when the reason is gone.
 */
export async function endNoMoreGiven<T extends Request>(
  { all, whyNot }: { readonly all: () => readonly T[]; readonly whyNot: (row: T) => string | undefined },
  { event, audit }: EndOf<T>,
  at: Date,
  deps: LifecycleDeps,
): Promise<void> {
  await endRows(at, deps, () => {
    const live = all().filter((row) => isLive<Request>(row) && !isOver(row, at.getTime()))
    return live.flatMap((row) => {
      const why = whyNot(row)
      return why === undefined ? [] : [{ row, why, events: [event(row)], audit: [audit(row, { at }, why)] }]
    })
  })
}
