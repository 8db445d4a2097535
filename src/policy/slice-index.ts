import { SpiffeId } from '../id/spiffe-id.ts'
import { labelsRead, type LabelsRead } from './condition/labels-read.ts'
import { compileConduit, type CompiledConduit } from './conduit.ts'
import { compileTemplate, type CompiledTemplate } from './grant-template.ts'
import { IdentityRows, zonesOf } from './identity-rows.ts'
import type { IdentityRow } from './membership.ts'
import { MembershipRules } from './membership-rules.ts'
import { partyOf, type Party } from './party.ts'
import { segmentsOf } from './pattern.ts'
import { isSame } from './policy-difference.ts'
import type { PolicySet, Rule, Service, Zone } from './policy-set.ts'
import { byId, RuleIndex } from './rule-index.ts'
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
  readonly #rows: IdentityRows
  readonly #membership: MembershipRules
  readonly #zones: ReadonlyMap<string, CompiledZone>
  /** Of services' identities: most slices ask for the same few. */
  readonly #partiesOfServices = new Map<string, { readonly row: IdentityRow | undefined; readonly party: Party }>()
  readonly #labelsRead = new Map<string, LabelsRead>()
  #servicesByZone: ReadonlyMap<string, readonly Service[]> | undefined
  /** Of the rows, when services were grouped. */
  #groupedAt = 0

  constructor(set: PolicySet, rows: Iterable<IdentityRow> | IdentityRows) {
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
    this.templates = set.grantTemplates.toSorted(byId).map((template) => compileTemplate(template, set.trustDomain))
    this.keysRead = new Set(
      [...set.rules, ...set.guards].flatMap(({ when }) => {
        const read = when === undefined ? undefined : this.labelsRead(when)
        return read === undefined ? [] : [...read.src, ...read.dst]
      }),
    )
    this.#rows = rows instanceof IdentityRows ? rows : new IdentityRows(this.#membership, this.keysRead, rows)
  }

  /**
   * The index of another policy over the same rows, which both change from then on; undefined when that policy places somebody
   * elsewhere or reads other labels.
   */
  followedBy(set: PolicySet): SliceIndex | undefined {
    if (!isSame(set.zones, this.set.zones)) return undefined
    const next = new SliceIndex(set, this.#rows)
    return next.keysRead.symmetricDifference(this.keysRead).size === 0 ? next : undefined
  }

  sharesRowsWith(other: SliceIndex): boolean {
    return this.#rows === other.#rows
  }

  /** Adds or replaces the row of an identity. */
  put(row: IdentityRow): void {
    this.#rows.put(row)
  }

  remove(spiffeId: string): void {
    this.#rows.remove(spiffeId)
  }

  rowOf(spiffeId: string): IdentityRow | undefined {
    return this.#rows.get(spiffeId)
  }

  get rows(): IterableIterator<IdentityRow> {
    return this.#rows.values()
  }

  get rowsByPath(): IdentityRows['byPath'] {
    return this.#rows.byPath
  }

  get rowsByZone(): IdentityRows['byZone'] {
    return this.#rows.byZone
  }

  /** The rows that patterns alone would place elsewhere: nobody may do without them. In the order of their ids. */
  get displaced(): readonly IdentityRow[] {
    return this.#rows.displaced
  }

  isDisplaced(spiffeId: string): boolean {
    return this.#rows.isDisplaced(spiffeId)
  }

  /** The services whose identity is in a zone. */
  servicesIn(zone: string): readonly Service[] {
    const { version } = this.#rows
    // Rows of clients come and go all the time.
    const isOutdated = this.#groupedAt !== version && this.set.services.some((service) => this.#hasMoved(service))
    if (isOutdated) this.#servicesByZone = undefined
    this.#groupedAt = version
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
    const segments = segmentsOf(SpiffeId.parse(spiffeId).path)
    const row = this.#rows.get(spiffeId)
    const zoneIds = row === undefined ? this.#membership.byPattern(segments).map(({ zone }) => zone) : zonesOf(row)
    const zone = zoneIds.length === 1 ? this.#zones.get(zoneIds[0] as string) : undefined
    return partyOf({ id: spiffeId, foreignDomain: undefined, segments, zone, zoneIds, labels: row?.labels ?? {} })
  }

  partyOfService({ identity }: Pick<Service, 'identity'>): Party {
    const id = `spiffe://${this.set.trustDomain}${identity}`
    const row = this.#rows.get(id)
    let known = this.#partiesOfServices.get(identity)
    if (known?.row !== row || known === undefined) {
      known = { row, party: this.partyOf(id) }
      this.#partiesOfServices.set(identity, known)
    }
    return known.party
  }

  #hasMoved({ identity }: Service): boolean {
    const known = this.#partiesOfServices.get(identity)
    return known === undefined || known.row !== this.#rows.get(`spiffe://${this.set.trustDomain}${identity}`)
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

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
