import { differing, differsBeyond } from './policy-difference.ts'
import type { PolicySet } from './policy-set.ts'
import type { SliceIndex } from './slice-index.ts'
import { subjectsOf } from './slice-rows.ts'

/** What stands in no slice, and what is compared item by item. */
const MUTE: readonly (keyof PolicySet)[] = ['owner', 'tests', 'invariants']
const BY_ITEM: readonly (keyof PolicySet)[] = ['conduits', 'rules']

/**
 * The registered identities, among others, whose slices a new policy may change, over the same rows: so that a rule between two identities costs
 * the slices of two. When in doubt, all.
 */
export function slicesConcerned(before: SliceIndex, after: SliceIndex): ReadonlySet<string> | 'all' {
  const [was, is] = [before.set, after.set]
  if (differsBeyond([...MUTE, ...BY_ITEM], was, is)) return 'all'
  // Labels that no condition reads any more, or for the first time, go from all rows or come to them.
  if (before.keysRead.symmetricDifference(after.keysRead).size > 0) return 'all'
  const concerned = new Set<string>()
  for (const rule of differing(was.rules, is.rules, idOf)) {
    for (const { spiffeId } of subjectsOf(after, rule)) concerned.add(spiffeId)
    concerned.add(identityOf(after, after.servicesByName.get(rule.to)))
  }
  const conduits = differing(was.conduits, is.conduits, idOf)
  for (const zone of conduits.flatMap(({ from, to }) => [from.zone, to.zone])) {
    for (const spiffeId of after.rowsByZone.get(zone)?.keys() ?? []) concerned.add(spiffeId)
    for (const service of after.servicesIn(zone)) concerned.add(identityOf(after, service))
  }
  // Whoever takes forwarded tokens knows the paths to zones with audiences.
  const forwardees = conduits.length === 0 ? [] : is.services.filter(({ acceptJwt }) => acceptJwt !== undefined)
  for (const service of forwardees) concerned.add(identityOf(after, service))
  concerned.delete('')
  return concerned
}

const idOf = ({ id }: { readonly id: string }): string => id

const identityOf = ({ set }: SliceIndex, service: { readonly identity: string } | undefined): string =>
  service === undefined ? '' : `spiffe://${set.trustDomain}${service.identity}`
