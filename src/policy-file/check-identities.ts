import type { IdentityRow, RegisteredIdentity } from '../policy/membership.ts'
import type { Found } from './found.ts'

/** Registered identities that the policy would place in several zones, and entries of one id that disagree. @see SE-44, ZO-11 */
export function* checkIdentities(
  registered: readonly RegisteredIdentity[],
  rows: readonly IdentityRow[],
): Generator<Found> {
  for (const { spiffeId, zone, via } of rows)
    if (Array.isArray(zone))
      yield {
        code: 'IDENTITY_AMBIGUOUS',
        path: ['zones'],
        message: `${spiffeId} is in ${zone.join(' and ')} (${via})`,
      }
  const first = new Map<string, string>()
  const told = new Set<string>()
  for (const { spiffeId, labels } of registered) {
    const key = keyOf(labels)
    const earlier = first.get(spiffeId)
    if (earlier === undefined) first.set(spiffeId, key)
    else if (earlier !== key && !told.has(spiffeId)) {
      told.add(spiffeId)
      yield { code: 'LABELS_DIFFER', path: [], message: `the entries of ${spiffeId} have different labels` }
    }
  }
}

/** Of fleets most entries have no labels. */
function keyOf(labels: RegisteredIdentity['labels']): string {
  const pairs = Object.entries(labels)
  return pairs.length === 0 ? '' : JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
