import { localPattern, identitySet, type Party } from './party.ts'
import type { IdentityRow } from './membership.ts'
import type { BreakGlass, Conduit, GrantTemplate, PolicySet, Rule, Service, Zone } from './policy-set.ts'
import { byId } from './rule-index.ts'
import { bySpiffeId, type SliceIndex } from './slice-index.ts'

/** What one identity needs of a policy: everything that leads into its services, and where it may go itself. */
export interface SliceContent {
  readonly policy: PolicySet
  readonly members: readonly IdentityRow[]
}

/**
 * The slice of an identity of the own trust domain.
 *
 * For every request to one of its services, and for every request by it (without a forwarded token) to a service that is in its slice,
 * the slice decides as the whole policy does, in every field. A service that is not in it is one that the whole policy lets it reach
 * in no way.
 *
 * @see zones.md §3.12
 */
export function sliceOf(index: SliceIndex, spiffeId: string): SliceContent {
  const { set } = index
  const self = index.partyOf(spiffeId)
  const own = index.servicesByIdentity.get(`/${self.segments.join('/')}`) ?? []
  const rulesBySelf = index.rulesOfSubject.of(self).map(({ rule }) => rule)
  const services = distinct([...own, ...servicesReached(index, self, rulesBySelf)])
  const names = new Set(services.map(({ id }) => id))
  const rules = distinct([
    ...own.flatMap(({ id }) => index.rulesTo.get(id) ?? []),
    ...rulesBySelf.filter(({ to }) => names.has(to)),
  ])
  const policy: PolicySet = {
    ...set,
    owner: '',
    zones: zonesFor(index, self, services),
    services,
    conduits: conduitsFor(index, self, own),
    guards: set.guards.toSorted(byId),
    rules,
    grantTemplates: set.grantTemplates.filter((template) => concernsGrant(index, template, self, own)).sort(byId),
    breakGlass: set.breakGlass.filter((declaration) => concernsBreakGlass(declaration, self)).sort(byId),
    tests: [],
    invariants: [],
  }
  return { policy, members: rowsFor(index, self, own, services, policy) }
}

function distinct<T extends { readonly id: string }>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [item.id, item])).values()].sort(byId)
}

/** Services that it has a path, a right or a way of elevation to; those in zones that observe; those that guards name. */
function servicesReached(index: SliceIndex, self: Party, rules: readonly Rule[]): Service[] {
  const { set } = index
  const byName = servicesByName(set)
  const named = [
    ...rules.map(({ to }) => to),
    ...set.guards.flatMap(({ from }) => (from.service === undefined ? [] : [from.service])),
    ...set.grantTemplates.filter(({ subject }) => holds(set, subject, self)).map(({ access }) => access.to),
  ]
  const openTo = egressOf(index, self).map(({ to }) => to)
  const zones = [
    ...set.zones.filter(({ mode }) => mode === 'observe').map(({ id }) => id),
    ...set.breakGlass.filter(({ from }) => from.includes(self.zone?.id ?? '')).flatMap(({ to }) => to),
  ]
  const elevatedTo = set.grantTemplates
    .filter(({ subject }) => holds(set, subject, self))
    .map(({ movement }) => movement.to)
  return [
    ...named.flatMap((name) => byName.get(name) ?? []),
    ...zones.flatMap((zone) => index.servicesIn(zone)),
    ...[...openTo, ...elevatedTo].flatMap(({ zone, identities }) =>
      index.servicesIn(zone).filter(({ identity }) => isOneOf(index, identities, identity)),
    ),
  ]
}

const namesOf = new WeakMap<PolicySet, ReadonlyMap<string, Service>>()

function servicesByName(set: PolicySet): ReadonlyMap<string, Service> {
  let names = namesOf.get(set)
  if (names === undefined) namesOf.set(set, (names = new Map(set.services.map((service) => [service.id, service]))))
  return names
}

const holds = ({ trustDomain }: PolicySet, patterns: readonly string[], party: Party): boolean =>
  identitySet(patterns, trustDomain).has(party)

const isOneOf = (index: SliceIndex, identities: readonly string[] | undefined, path: string): boolean =>
  identities === undefined || holds(index.set, identities, index.partyOf(`spiffe://${index.set.trustDomain}${path}`))

/** The conduits that its own connections may go through. */
const egressOf = (index: SliceIndex, self: Party): Conduit[] =>
  (index.conduitsFrom.get(self.zone?.id ?? '') ?? [])
    .filter(({ from }) => from === undefined || from.has(self))
    .map(({ conduit }) => conduit)

/** Its egress, what leads to it, and what says which audiences the callers of forwarded tokens may name. */
function conduitsFor(index: SliceIndex, self: Party, own: readonly Service[]): Conduit[] {
  const ingress = own.length === 0 ? [] : (index.conduitsTo.get(self.zone?.id ?? '') ?? [])
  const audiences = own.some(({ acceptJwt }) => acceptJwt !== undefined)
    ? index.set.zones.filter((zone) => zone.audiences.length > 0).flatMap(({ id }) => index.conduitsTo.get(id) ?? [])
    : []
  return distinct([
    ...egressOf(index, self),
    ...ingress.filter(({ to }) => to === undefined || to.has(self)).map(({ conduit }) => conduit),
    ...audiences.map(({ conduit }) => conduit),
  ])
}

/** All of them, so that every peer can be placed; whole only where a service of the slice is. */
function zonesFor(index: SliceIndex, self: Party, services: readonly Service[]): Zone[] {
  const whole = new Set(self.zoneIds)
  for (const { identity } of services) {
    for (const zone of index.partyOf(`spiffe://${index.set.trustDomain}${identity}`).zoneIds) whole.add(zone)
  }
  const byName = new Map(index.set.zones.filter(({ id }) => whole.has(id)).map((zone) => [zone.id, zone]))
  return index.plainZones.map((plain) => {
    const zone = byName.get(plain.id)
    return zone === undefined ? plain : { ...zone, members: plain.members }
  })
}

const concernsGrant = (
  { set }: SliceIndex,
  { subject, movement, access }: GrantTemplate,
  self: Party,
  own: readonly Service[],
): boolean => movement.to.zone === self.zone?.id || own.some(({ id }) => id === access.to) || holds(set, subject, self)

const concernsBreakGlass = ({ from, to }: BreakGlass, { zone }: Party): boolean =>
  zone !== undefined && (from.includes(zone.id) || to.includes(zone.id))

/**
 * Its own row, those of its services' identities, those whose zone is not what the patterns say, and those whose labels a condition
 * reads; without the labels that nobody reads.
 */
function rowsFor(
  index: SliceIndex,
  self: Party,
  own: readonly Service[],
  services: readonly Service[],
  policy: PolicySet,
): IdentityRow[] {
  const conditions = [...policy.rules, ...policy.guards].flatMap(({ when }) => (when === undefined ? [] : [when]))
  const read = new Set(conditions.flatMap((when) => Object.values(index.labelsRead(when)).flatMap((keys) => [...keys])))
  const rows = new Set<IdentityRow>(index.displaced)
  for (const id of [self.id, ...services.map(({ identity }) => `spiffe://${index.set.trustDomain}${identity}`)]) {
    const row = index.rowOf(id)
    if (row !== undefined) rows.add(row)
  }
  const ownNames = new Set(own.map(({ id }) => id))
  for (const rule of policy.rules) {
    if (ownNames.has(rule.to)) addLabelled(index, rows, rule.when, () => subjectsOf(index, rule))
  }
  if (own.length > 0) for (const { when } of policy.guards) addLabelled(index, rows, when, () => index.rows)
  return [...rows].sort(bySpiffeId).map((row) => withLabels(row, read))
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

function* subjectsOf(index: SliceIndex, { from }: Rule): Iterable<IdentityRow> {
  for (const subject of from) {
    if ('zone' in subject) yield* index.rowsByZone.get(subject.zone)?.values() ?? []
    else {
      const pattern = localPattern(subject.pattern, index.set.trustDomain)
      if (pattern.trustDomain === undefined) yield* index.rowsByPath.matching(pattern)
    }
  }
}

function withLabels(row: IdentityRow, read: ReadonlySet<string>): IdentityRow {
  const labels = Object.entries(row.labels)
  const kept = labels.filter(([key]) => read.has(key))
  return kept.length === labels.length ? row : { ...row, labels: Object.fromEntries(kept) }
}
