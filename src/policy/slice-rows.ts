import { bySpiffeId } from './identity-rows.ts'
import type { IdentityRow } from './membership.ts'
import { localPattern, type Party } from './party.ts'
import type { PolicySet, Rule, Service } from './policy-set.ts'
import type { SliceIndex } from './slice-index.ts'

/**
 * Its own row, those of its services' identities, and those whose labels a condition reads; without those whose zone is not what the
 * patterns say, which are in every slice.
 */
export function rowsFor(
  index: SliceIndex,
  self: Party,
  own: readonly Service[],
  services: readonly Service[],
  policy: PolicySet,
): IdentityRow[] {
  const rows = new Set<IdentityRow>()
  for (const id of [self.id, ...services.map(({ identity }) => `spiffe://${index.set.trustDomain}${identity}`)]) {
    const row = index.rowOf(id)
    if (row !== undefined) rows.add(row)
  }
  const ownNames = new Set(own.map(({ id }) => id))
  for (const rule of policy.rules) {
    if (ownNames.has(rule.to)) addLabelled(index, rows, rule.when, () => subjectsOf(index, rule))
  }
  if (own.length > 0) for (const { when } of policy.guards) addLabelled(index, rows, when, () => index.rows)
  return [...rows].filter(({ spiffeId }) => !index.isDisplaced(spiffeId)).sort(bySpiffeId)
}

function addLabelled(
  index: SliceIndex,
  rows: Set<IdentityRow>,
  when: string | undefined,
  candidates: () => Iterable<IdentityRow>,
): void {
  const keys = when === undefined ? [] : [...index.labelsRead(when).src]
  if (keys.length === 0) return
  for (const row of candidates()) if (keys.some((key) => Object.hasOwn(row.labels, key))) rows.add(row)
}

/** The rows that a rule names as subjects. */
export function* subjectsOf(index: SliceIndex, { from }: Rule): Iterable<IdentityRow> {
  for (const subject of from) {
    if ('zone' in subject) yield* index.rowsByZone.get(subject.zone)?.values() ?? []
    else {
      const pattern = localPattern(subject.pattern, index.set.trustDomain)
      if (pattern.trustDomain === undefined) yield* index.rowsByPath.matching(pattern)
    }
  }
}
