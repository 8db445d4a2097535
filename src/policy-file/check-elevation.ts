import type { Found } from './found.ts'
import { forbidsAll } from './guard-reach.ts'
import type { PolicyIndex } from './policy-index.ts'

const HOUR_MS = 3_600_000
/** The longest grant and the longest break-glass session. */
export const GRANT_MAX_MS = 8 * HOUR_MS
export const BREAK_GLASS_MAX_MS = HOUR_MS

/** Grant templates and break-glass declarations. @see zones.md §3.9, §3.10, §3.19; SE-46 */
export function* checkElevation(index: PolicyIndex): Generator<Found> {
  const { set } = index
  for (const [at, { id, maxDurationMs, movement }] of set.grantTemplates.entries()) {
    const path = ['grantTemplates', at]
    if (maxDurationMs > GRANT_MAX_MS)
      yield { code: 'GRANT_TOO_LONG', path: [...path, 'maxDuration'], message: `${id} allows more than 8h` }
    const guard = set.guards.find((guard) => forbidsAll(index, guard, movement.from, movement.to))
    if (guard !== undefined)
      yield { code: 'GRANT_FORBIDDEN', path: [...path, 'adds'], message: `guard ${guard.id} forbids all of ${id}` }
  }
  for (const [at, { id, maxDurationMs, approvals }] of set.breakGlass.entries()) {
    const path = ['breakGlass', at]
    if (maxDurationMs > BREAK_GLASS_MAX_MS)
      yield { code: 'BREAK_GLASS_TOO_LONG', path: [...path, 'maxDuration'], message: `${id} lasts more than 60m` }
    if (approvals < 2)
      yield {
        code: 'BREAK_GLASS_ONE_PERSON',
        path: [...path, 'approvals'],
        message: `${id} can be started by one person`,
      }
  }
}
