import type { CellChange } from './policy-diff.ts'
import { flowsOf, type Flow, type Observation } from './observed.ts'

/** Observed traffic that a change concerns. */
export interface TouchedTraffic {
  readonly change: CellChange
  /** Flows that were seen on the cell; of a gained one those that were refused. */
  readonly flows: readonly Flow[]
  readonly count: number
  readonly lastMs: number
}

/** Adds what was seen to what changes, most traffic first. */
export function withTraffic(changes: readonly CellChange[], observations: Iterable<Observation>): TouchedTraffic[] {
  const flows = Map.groupBy(flowsOf(observations), ({ service, action }) => `${service} ${action ?? ''}`)
  return changes
    .map((change): TouchedTraffic => {
      const here = flows.get(`${change.service} ${change.action}`) ?? []
      const ids = here.length === 0 ? undefined : new Set(change.ids)
      const own = here.filter(({ source }) => ids?.has(source) === true)
      return {
        change,
        flows: own,
        count: own.reduce((sum, { count }) => sum + count, 0),
        lastMs: own.reduce((last, { lastMs }) => Math.max(last, lastMs), 0),
      }
    })
    .sort((a, b) => b.count - a.count)
}
