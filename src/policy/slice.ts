import type { CompiledTemplate } from './grant-template.ts'
import { identitySet, type Party } from './party.ts'
import type { IdentityRow } from './membership.ts'
import type { BreakGlass, Conduit, PolicySet, Rule, Service, Zone } from './policy-set.ts'
import { byId } from './rule-index.ts'
import type { SliceIndex } from './slice-index.ts'
import { rowsFor } from './slice-rows.ts'

/** What one identity needs of a policy: everything that leads into its services, and where it may go itself. */
export interface SliceContent {
  readonly policy: PolicySet
  /** The rows that it needs of its own. */
  readonly members: readonly IdentityRow[]
  /** Those that patterns would place elsewhere: the same in every slice, and the same list until they change. */
  readonly displaced: readonly IdentityRow[]
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
    grantTemplates: index.templates.flatMap((compiled) =>
      concernsGrant(compiled, self, own) ? [compiled.template] : [],
    ),
    breakGlass: set.breakGlass.filter((declaration) => concernsBreakGlass(declaration, self)).sort(byId),
    tests: [],
    invariants: [],
  }
  return { policy, members: rowsFor(index, self, own, services, policy), displaced: index.displaced }
}

function distinct<T extends { readonly id: string }>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [item.id, item])).values()].sort(byId)
}

/** Services that it has a path, a right or a way of elevation to; those in zones that observe; those that guards name. */
function servicesReached(index: SliceIndex, self: Party, rules: readonly Rule[]): Service[] {
  const { set } = index
  const templates = index.templates.filter(({ subjects }) => subjects.has(self)).map(({ template }) => template)
  const named = [
    ...rules.map(({ to }) => to),
    ...set.guards.flatMap(({ from }) => (from.service === undefined ? [] : [from.service])),
    ...templates.map(({ access }) => access.to),
  ]
  const openTo = egressOf(index, self).map(({ to }) => to)
  const zones = [
    ...set.zones.filter(({ mode }) => mode === 'observe').map(({ id }) => id),
    ...set.breakGlass.filter(({ from }) => from.includes(self.zone?.id ?? '')).flatMap(({ to }) => to),
  ]
  const elevatedTo = templates.map(({ movement }) => movement.to)
  return [
    ...named.flatMap((name) => index.servicesByName.get(name) ?? []),
    ...zones.flatMap((zone) => index.servicesIn(zone)),
    ...[...openTo, ...elevatedTo].flatMap(({ zone, identities }) =>
      index.servicesIn(zone).filter((service) => isOneOf(index, identities, service)),
    ),
  ]
}

const isOneOf = (index: SliceIndex, identities: readonly string[] | undefined, service: Service): boolean =>
  identities === undefined || identitySet(identities, index.set.trustDomain).has(index.partyOfService(service))

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
  for (const service of services) for (const zone of index.partyOfService(service).zoneIds) whole.add(zone)
  return index.plainZones.map((plain) => (whole.has(plain.id) ? (index.wholeZones.get(plain.id) ?? plain) : plain))
}

const concernsGrant = ({ subjects, template }: CompiledTemplate, self: Party, own: readonly Service[]): boolean =>
  template.movement.to.zone === self.zone?.id || own.some(({ id }) => id === template.access.to) || subjects.has(self)

const concernsBreakGlass = ({ from, to }: BreakGlass, { zone }: Party): boolean =>
  zone !== undefined && (from.includes(zone.id) || to.includes(zone.id))
