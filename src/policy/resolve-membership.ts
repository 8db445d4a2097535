import { SpiffeId } from '../id/spiffe-id.ts'
import type { IdentityRow, RegisteredIdentity } from './membership.ts'
import { MembershipRules, type Placement } from './membership-rules.ts'
import { segmentsOf } from './pattern.ts'
import type { PolicySet } from './policy-set.ts'

/** The rows of all registered identities, in the order of their first entries. */
export function resolveMembership(set: Pick<PolicySet, 'zones'>, entries: Iterable<RegisteredIdentity>): IdentityRow[] {
  const rules = new MembershipRules(set)
  const byId = new Map<string, RegisteredIdentity[]>()
  for (const entry of entries) {
    const others = byId.get(entry.spiffeId)
    if (others === undefined) byId.set(entry.spiffeId, [entry])
    else others.push(entry)
  }
  return [...byId.values()].map((entries) => resolveIdentity(rules, entries))
}

/**
 * The row of one identity from all of its entries (at least one). Explicit zones before patterns; more than one is a list, which
 * denies. After a change of an entry only the row of its id is asked for anew.
 */
export function resolveIdentity(rules: MembershipRules, entries: readonly RegisteredIdentity[]): IdentityRow {
  const [first] = entries
  if (first === undefined) throw new TypeError('An identity without entries has no row')
  const labels = agreedLabels(entries)
  const segments = segmentsOf(SpiffeId.parse(first.spiffeId).path)
  const explicit = rules.explicit(segments, labels, sharedSelectors(entries))
  const placements = explicit.length > 0 ? explicit : rules.byPattern(segments)
  return { spiffeId: first.spiffeId, zone: zoneOf(placements), via: placements.map(viaOf).join('; '), labels }
}

const viaOf = ({ via }: Placement): string => via

function zoneOf(placements: readonly Placement[]): IdentityRow['zone'] {
  const [only, ...others] = placements
  if (only === undefined) return null
  return others.length === 0 ? only.zone : placements.map(({ zone }) => zone)
}

/** A label on which the entries differ, or that one of them lacks, counts as missing (ZO-11). */
export function agreedLabels([first, ...others]: readonly RegisteredIdentity[]): Readonly<Record<string, string>> {
  const own = first?.labels ?? {}
  if (others.length === 0) return own
  return Object.fromEntries(
    Object.entries(own).filter(([key, value]) => others.every(({ labels }) => labels[key] === value)),
  )
}

/** A selector counts when every entry of the id requires it: else who has the id may lack it (SE-44). */
function sharedSelectors([first, ...others]: readonly RegisteredIdentity[]): ReadonlySet<string> {
  const shared = first?.selectors.filter((selector) => others.every(({ selectors }) => selectors.includes(selector)))
  return new Set(shared)
}
