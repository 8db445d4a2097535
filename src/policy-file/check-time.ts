import type { Validity } from '../policy/policy-set.ts'
import type { Found } from './found.ts'
import type { PolicyIndex } from './policy-index.ts'

const DAY_MS = 86_400_000
/** How long a zone may observe before it is reported. */
export const OBSERVE_MAX_MS = 60 * DAY_MS

/** What has passed by now: reviews, ends, the patience with zones that observe. */
export function* checkTime(
  { set }: PolicyIndex,
  now: number,
  observingSince: ReadonlyMap<string, number>,
): Generator<Found> {
  for (const [at, { id, review, valid }] of set.conduits.entries()) {
    if (review + DAY_MS <= now)
      yield {
        code: 'REVIEW_PASSED',
        path: ['conduits', at, 'review'],
        message: `${id} was to be reviewed by ${dayOf(review)}`,
      }
    yield* ended(id, valid, ['conduits', at, 'valid', 'until'], now)
  }
  for (const [at, { id, valid }] of set.rules.entries()) yield* ended(id, valid, ['rules', at, 'valid', 'until'], now)
  for (const [at, { id, mode }] of set.zones.entries()) {
    const since = observingSince.get(id)
    if (mode === 'observe' && since !== undefined && now - since > OBSERVE_MAX_MS)
      yield {
        code: 'OBSERVE_TOO_LONG',
        path: ['zones', at, 'mode'],
        message: `zone ${id} has observed since ${dayOf(since)}`,
      }
  }
}

function* ended(id: string, { until }: Validity, path: readonly PropertyKey[], now: number): Generator<Found> {
  if (until !== undefined && until <= now)
    yield { code: 'VALIDITY_PASSED', path, message: `${id} ended on ${dayOf(until)}` }
}

const dayOf = (instant: number): string => new Date(instant).toISOString().slice(0, 10)
