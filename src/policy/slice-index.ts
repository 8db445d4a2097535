import { SpiffeId } from '../id/spiffe-id.ts'
import { labelsRead, type LabelsRead } from './condition/labels-read.ts'
import { compileConduit, type CompiledConduit } from './conduit.ts'
import { IdentityTree } from './identity-tree.ts'
import type { IdentityRow } from './membership.ts'
import { MembershipRules } from './membership-rules.ts'
import { identitySet, partyOf, type Party } from './party.ts'
import { segmentsOf } from './pattern.ts'
import type { PolicySet, Rule, Service, Zone } from './policy-set.ts'
import { byId, RuleIndex } from './rule-index.ts'
import type { CompiledTemplate } from './tables.ts'
import { compileZone, type CompiledZone } from './zone.ts'

/**
 * A policy and its rows, indexed so that the slice of one identity is found without a look at the others. Rows may change; a new
 * policy is a new index.
 */
export class SliceIndex {
  readonly set: PolicySet
  /** Without owner and mode, and with patterns only: what everybody needs to place an unknown peer. */
  readonly plainZones: readonly Zone[]
  /** The same with owner and mode, for who has a service there. */
  readonly wholeZones: ReadonlyMap<string, Zone>
  readonly conduitsFrom = new Map<string, CompiledConduit[]>()
  readonly conduitsTo = new Map<string, CompiledConduit[]>()
  readonly rulesTo = new Map<string, Rule[]>()
  readonly rulesOfSubject: RuleIndex
  readonly servicesByIdentity = new Map<string, Service[]>()
  readonly servicesByName: ReadonlyMap<string, Service>
  /** In the order of their ids. */
  readonly templates: readonly CompiledTemplate[]
  /** Of all conditions: other labels decide nothing, and stay on the server. */
  readonly keysRead: ReadonlySet<string>
  readonly rowsByPath = new IdentityTree<IdentityRow>()
  readonly rowsByZone = new Map<string, Map<string, IdentityRow>>()
  readonly #rows = new Map<string, IdentityRow>()
  readonly #membership: MembershipRules
  readonly #zones: ReadonlyMap<string, CompiledZone>
  readonly #displaced = new Map<string, IdentityRow>()
  /** Of services' identities: most slices ask for the same few. */
  readonly #partiesOfServices = new Map<string, Party>()
  readonly #labelsRead = new Map<string, LabelsRead>()
  #displacedInOrder: readonly IdentityRow[] | undefined
  #servicesByZone: ReadonlyMap<string, readonly Service[]> | undefined

  constructor(set: PolicySet, rows: Iterable<IdentityRow>) {
    this.set = set
    this.#membership = new MembershipRules(set)
    this.#zones = new Map(set.zones.map((zone) => [zone.id, compileZone(zone, set.settings)]))
    this.plainZones = set.zones.toSorted(byId).map(plainZone)
    this.wholeZones = new Map(set.zones.map((zone) => [zone.id, { ...zone, members: patternsOf(zone) }]))
    for (const conduit of set.conduits.toSorted(byId)) {
      const compiled = compileConduit(conduit, set.trustDomain)
      push(this.conduitsFrom, conduit.from.zone, compiled)
      push(this.conduitsTo, conduit.to.zone, compiled)
    }
    this.rulesOfSubject = new RuleIndex(set.trustDomain)
    for (const rule of set.rules) {
      push(this.rulesTo, rule.to, rule)
      this.rulesOfSubject.add({ id: rule.id, isAllow: false, actions: NO_ACTIONS, when: undefined, rule })
    }
    for (const service of set.services) push(this.servicesByIdentity, service.identity, service)
    this.servicesByName = new Map(set.services.map((service) => [service.id, service]))
    this.templates = set.grantTemplates
      .toSorted(byId)
      .map((template) => ({ template, subjects: identitySet(template.subject, set.trustDomain) }))
    this.keysRead = new Set(
      [...set.rules, ...set.guards].flatMap(({ when }) => {
        const read = when === undefined ? undefined : this.labelsRead(when)
        return read === undefined ? [] : [...read.src, ...read.dst]
      }),
    )
    for (const row of rows) this.put(row)
  }

  /** Adds or replaces the row of an identity. */
  put(given: IdentityRow): void {
    const row = withLabels(given, this.keysRead)
    this.remove(row.spiffeId)
    const { path } = SpiffeId.parse(row.spiffeId)
    this.#rows.set(row.spiffeId, row)
    this.rowsByPath.set(segmentsOf(path), row)
    for (const zone of zonesOf(row)) {
      const members = this.rowsByZone.get(zone)
      if (members === undefined) this.rowsByZone.set(zone, new Map([[row.spiffeId, row]]))
      else members.set(row.spiffeId, row)
    }
    if (this.#isDisplaced(row, path)) {
      this.#displaced.set(row.spiffeId, row)
      this.#displacedInOrder = undefined
    }
    this.#forgetService(path)
  }

  remove(spiffeId: string): void {
    const row = this.#rows.get(spiffeId)
    if (row === undefined) return
    const { path } = SpiffeId.parse(spiffeId)
    this.#rows.delete(spiffeId)
    this.rowsByPath.set(segmentsOf(path), undefined)
    for (const zone of zonesOf(row)) this.rowsByZone.get(zone)?.delete(spiffeId)
    if (this.#displaced.delete(spiffeId)) this.#displacedInOrder = undefined
    this.#forgetService(path)
  }

  #forgetService(path: string): void {
    if (!this.servicesByIdentity.has(path)) return
    this.#servicesByZone = undefined
    this.#partiesOfServices.delete(path)
  }

  rowOf(spiffeId: string): IdentityRow | undefined {
    return this.#rows.get(spiffeId)
  }

  get rows(): IterableIterator<IdentityRow> {
    return this.#rows.values()
  }

  /** The rows that patterns alone would place elsewhere: nobody may do without them. In the order of their ids. */
  get displaced(): readonly IdentityRow[] {
    return (this.#displacedInOrder ??= [...this.#displaced.values()].sort(bySpiffeId))
  }

  #isDisplaced(row: IdentityRow, path: string): boolean {
    const patterns = this.#membership.byPattern(path)
    const zones = zonesOf(row)
    return zones.length !== patterns.length || patterns.some(({ zone }, index) => zone !== zones[index])
  }

  /** The services whose identity is in a zone. */
  servicesIn(zone: string): readonly Service[] {
    this.#servicesByZone ??= this.#groupServices()
    return this.#servicesByZone.get(zone) ?? []
  }

  #groupServices(): ReadonlyMap<string, readonly Service[]> {
    const byZone = new Map<string, Service[]>()
    for (const service of this.set.services) {
      const { zone } = this.partyOfService(service)
      if (zone !== undefined) push(byZone, zone.id, service)
    }
    return byZone
  }

  /** An identity of the own trust domain as decisions see it. */
  partyOf(spiffeId: string): Party {
    const { path } = SpiffeId.parse(spiffeId)
    const row = this.#rows.get(spiffeId)
    const zoneIds = row === undefined ? this.#membership.byPattern(path).map(({ zone }) => zone) : zonesOf(row)
    const zone = zoneIds.length === 1 ? this.#zones.get(zoneIds[0] as string) : undefined
    return partyOf({ id: spiffeId, foreignDomain: undefined, path, zone, zoneIds, labels: row?.labels ?? {} })
  }

  partyOfService({ identity }: Pick<Service, 'identity'>): Party {
    let party = this.#partiesOfServices.get(identity)
    if (party === undefined) {
      party = this.partyOf(`spiffe://${this.set.trustDomain}${identity}`)
      this.#partiesOfServices.set(identity, party)
    }
    return party
  }

  labelsRead(text: string): LabelsRead {
    let read = this.#labelsRead.get(text)
    if (read === undefined) this.#labelsRead.set(text, (read = labelsRead(text)))
    return read
  }
}

const NO_ACTIONS: ReadonlySet<string> = new Set()

const plainZone = (zone: Zone): Zone => ({
  ...zone,
  owner: '',
  mode: 'enforce',
  enforceOnly: [],
  hardStaleMs: undefined,
  members: patternsOf(zone),
})

const patternsOf = ({ members }: Zone): Zone['members'] =>
  members.filter(({ entryLabel, selector }) => entryLabel === undefined && selector === undefined)

function withLabels(row: IdentityRow, read: ReadonlySet<string>): IdentityRow {
  const keys = Object.keys(row.labels)
  if (keys.every((key) => read.has(key))) return row
  return { ...row, labels: Object.fromEntries(Object.entries(row.labels).filter(([key]) => read.has(key))) }
}

const zonesOf = ({ zone }: IdentityRow): readonly string[] =>
  zone === null ? [] : typeof zone === 'string' ? [zone] : zone

export const bySpiffeId = (a: IdentityRow, b: IdentityRow): number =>
  a.spiffeId < b.spiffeId ? -1 : a.spiffeId > b.spiffeId ? 1 : 0

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
