import type { Endpoint, Guard, Predicate } from '../policy/policy-set.ts'
import { patternCovers } from './pattern-cover.ts'
import type { PolicyIndex } from './policy-index.ts'

/** Does a guard of the movement gate forbid everything between two endpoints? What depends on the moment or the request does not count. */
export function forbidsAll(index: PolicyIndex, guard: Guard, from: Endpoint, to: Endpoint): boolean {
  return (
    guard.gate === 'movement' &&
    guard.hard &&
    guard.when === undefined &&
    holdsForAll(index, guard.from, from) &&
    holdsForAll(index, guard.to, to)
  )
}

/** Predicates are joined by and (ZO-25). */
function holdsForAll(index: PolicyIndex, predicate: Predicate, { zone: id, identities }: Endpoint): boolean {
  const zone = index.zones.get(id)
  if (zone === undefined || predicate.actions !== undefined) return false
  const service = predicate.service === undefined ? undefined : index.services.get(predicate.service)
  const patterns = predicate.service === undefined ? predicate.identities : [service?.identity ?? '/.']
  if (predicate.service !== undefined && predicate.identities !== undefined) return false
  return (
    (predicate.maxTarget === undefined || zone.target <= predicate.maxTarget) &&
    (predicate.minTarget === undefined || zone.target >= predicate.minTarget) &&
    (predicate.zone === undefined || predicate.zone === id) &&
    (predicate.notZone === undefined || predicate.notZone !== id) &&
    (predicate.sensitivity === undefined || predicate.sensitivity === zone.sensitivity) &&
    (predicate.admin === undefined || predicate.admin === zone.admin) &&
    (predicate.notAdmin === undefined || predicate.notAdmin !== zone.admin) &&
    (predicate.crownJewel === undefined || predicate.crownJewel === zone.crownJewel) &&
    (patterns === undefined ||
      (identities !== undefined && identities.every((narrow) => isCovered(index, patterns, narrow))))
  )
}

function isCovered(index: PolicyIndex, patterns: readonly string[], narrow: string): boolean {
  return patterns.some((wide) => wide !== '/.' && patternCovers(index.pattern(wide), index.pattern(narrow)))
}
