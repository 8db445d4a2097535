import { groupMembers } from './member-groups.ts'
import type { IdentityRow } from './membership.ts'
import { localPattern, type Party } from './party.ts'
import type { Pattern } from './pattern.ts'
import type { Conduit, Rule, Service } from './policy-set.ts'
import { SLICE_MAX_BYTES } from './read-slice.ts'
import type { SliceIndex } from './slice-index.ts'
import { sliceOf } from './slice.ts'

/** An identity whose slice is longer than agents take: it would get none, and reach nothing. */
export interface LongSlice {
  readonly spiffeId: string
  readonly sizeBytes: number
}

/** What a slice says of itself: names, numbers and digests. */
const HEAD_BYTES = 4 * 1024
/** So many slices are measured; those that may be the longest come first. */
const MEASURED_MAX = 1000

/**
 * The registered identities, and those of services, whose slices would be too long, the longest first; a few of them when there are
 * very many. What every slice and every slice of a zone hold is added up before a single one is made, so that a policy of which none
 * is long costs no slices.
 *
 * @see zones.md §3.12
 */
export function longSlices(index: SliceIndex, mostBytes = SLICE_MAX_BYTES): readonly LongSlice[] {
  const bounds = new SliceBounds(index)
  if (bounds.ofAnybody() <= mostBytes) return []
  const services = index.set.services.map(({ identity }) => `spiffe://${index.set.trustDomain}${identity}`)
  const ids = new Set([...Iterator.from(index.rows).map(({ spiffeId }) => spiffeId), ...services])
  const suspects = [...ids]
    .map((spiffeId) => ({ spiffeId, bound: bounds.of(index.partyOf(spiffeId)) }))
    .filter(({ bound }) => bound > mostBytes)
    .sort((a, b) => b.bound - a.bound)
  return suspects
    .slice(0, MEASURED_MAX)
    .map(({ spiffeId }) => ({ spiffeId, sizeBytes: bounds.sizeOf(spiffeId) }))
    .filter(({ sizeBytes }) => sizeBytes > mostBytes)
    .sort((a, b) => b.sizeBytes - a.sizeBytes)
}

/** No slice is longer than so many bytes. Cheap beside the slices themselves: each row and each object is looked at once. */
export const mostSliceBytes = (index: SliceIndex): number => new SliceBounds(index).ofAnybody()

/** How long slices can be at most, by what they are put together of. */
class SliceBounds {
  readonly #index: SliceIndex
  readonly #bytes = new WeakMap<object, number>()
  readonly #services = new Map<Service, number>()
  readonly #zones = new Map<string, number>()
  /** What is in every slice, and what is in few and short. */
  readonly #fixed: number
  readonly #labelled: number

  constructor(index: SliceIndex) {
    this.#index = index
    const { set } = index
    const {
      services: _services,
      conduits: _conduits,
      rules: _rules,
      tests: _tests,
      invariants: _invariants,
      ...rest
    } = set
    const keys = index.keysRead
    const labelled = [...index.rows].filter(({ labels }) => Object.keys(labels).some((key) => keys.has(key)))
    this.#fixed = HEAD_BYTES + bytesOf(rest) + bytesOf(groupMembers(index.displaced))
    // Fewer rows are never longer than all of them.
    this.#labelled = bytesOf(groupMembers(labelled.sort((a, b) => (a.spiffeId < b.spiffeId ? -1 : 1))))
  }

  /** No slice is longer. */
  ofAnybody(): number {
    const { set } = this.#index
    const byZone = new Map<string, number>()
    const byPrefix = new Map<string, number>()
    for (const rule of set.rules) {
      const bytes = this.#ruleAndService(rule)
      for (const subject of rule.from) {
        if ('zone' in subject) addTo(byZone, subject.zone, bytes)
        else addTo(byPrefix, literalPrefix(localPattern(subject.pattern, set.trustDomain)), bytes)
      }
    }
    const zones = [...set.zones.map(({ id }) => id), ''].map((zone) => this.#ofZone(zone) + (byZone.get(zone) ?? 0))
    const own = [...this.#index.servicesByIdentity.values()].map((services) => this.#ofServices(services))
    return this.#fixed + most(zones) + mostOnOnePath(byPrefix) + most(own)
  }

  of(party: Party): number {
    const own = this.#index.servicesByIdentity.get(`/${party.segments.join('/')}`) ?? []
    const rules = this.#index.rulesOfSubject.of(party)
    return (
      this.#fixed +
      this.#ofZone(party.zone?.id ?? '') +
      total(rules, ({ rule }) => this.#ruleAndService(rule)) +
      this.#ofServices(own)
    )
  }

  sizeOf(spiffeId: string): number {
    const { policy, members, displaced } = sliceOf(this.#index, spiffeId)
    const { services, conduits, rules, ...rest } = policy
    const long = [...services, ...conduits, ...rules]
    return (
      HEAD_BYTES +
      bytesOf(rest) +
      total(long, (item) => this.#one(item)) +
      bytesOf(groupMembers(members)) +
      this.#grouped(displaced)
    )
  }

  /** The conduits of a zone, the services that they lead to, and those that everybody knows. */
  #ofZone(zone: string): number {
    let bytes = this.#zones.get(zone)
    if (bytes !== undefined) return bytes
    const { set, conduitsFrom, conduitsTo, servicesByName } = this.#index
    const egress = conduitsFrom.get(zone) ?? []
    const audiences = set.zones.filter((one) => one.audiences.length > 0).flatMap(({ id }) => conduitsTo.get(id) ?? [])
    const reached = new Set([
      zone,
      ...egress.map(({ conduit }) => conduit.to.zone),
      ...set.zones.filter(({ mode }) => mode === 'observe').map(({ id }) => id),
      ...set.breakGlass.filter(({ from }) => from.includes(zone)).flatMap(({ to }) => to),
      ...set.grantTemplates.map(({ movement }) => movement.to.zone),
    ])
    const named = [...set.guards.map(({ from }) => from.service), ...set.grantTemplates.map(({ access }) => access.to)]
    const services = new Set([
      ...[...reached].flatMap((id) => this.#index.servicesIn(id)),
      ...named.flatMap((name) => servicesByName.get(name ?? '') ?? []),
    ])
    const conduits = new Set([...egress, ...(conduitsTo.get(zone) ?? []), ...audiences])
    bytes = total(conduits, ({ conduit }) => this.#one(conduit)) + total(services, (service) => this.#service(service))
    this.#zones.set(zone, bytes)
    return bytes
  }

  #ofServices(own: readonly Service[]): number {
    if (own.length === 0) return 0
    const rules = own.flatMap(({ id }) => this.#index.rulesTo.get(id) ?? [])
    return total(own, (service) => this.#service(service)) + total(rules, (rule) => this.#one(rule)) + this.#labelled
  }

  #ruleAndService(rule: Rule): number {
    const service = this.#index.servicesByName.get(rule.to)
    return this.#one(rule) + (service === undefined ? 0 : this.#service(service))
  }

  /** With the row of its identity. */
  #service(service: Service): number {
    let bytes = this.#services.get(service)
    if (bytes === undefined) {
      const row = this.#index.rowOf(`spiffe://${this.#index.set.trustDomain}${service.identity}`)
      this.#services.set(service, (bytes = this.#one(service) + (row === undefined ? 0 : this.#one(row))))
    }
    return bytes
  }

  #grouped(rows: readonly IdentityRow[]): number {
    let bytes = this.#bytes.get(rows)
    if (bytes === undefined) this.#bytes.set(rows, (bytes = bytesOf(groupMembers(rows))))
    return bytes
  }

  /** One of a list, with its comma. */
  #one(item: Conduit | Rule | Service | IdentityRow): number {
    let bytes = this.#bytes.get(item)
    if (bytes === undefined) this.#bytes.set(item, (bytes = bytesOf(item) + 1))
    return bytes
  }
}

/** In whatever order its fields stand. */
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

const total = <T>(items: Iterable<T>, bytes: (item: T) => number): number => {
  let sum = 0
  for (const item of items) sum += bytes(item)
  return sum
}

const addTo = (sums: Map<string, number>, key: string, bytes: number): void =>
  void sums.set(key, (sums.get(key) ?? 0) + bytes)

/** What stands before the first wildcard, as the beginning of a path; foreign ids have no slices. */
function literalPrefix({ trustDomain, segments }: Pattern): string {
  const wildcard = segments.findIndex((segment) => segment.startsWith('*'))
  const literal = wildcard === -1 ? segments : segments.slice(0, wildcard)
  return [trustDomain ?? '', ...literal].join('/')
}

/** Patterns that one id matches begin with beginnings of its path, which are beginnings of each other. */
function mostOnOnePath(byPrefix: ReadonlyMap<string, number>): number {
  const sums = Array.from(byPrefix.keys(), (prefix) => {
    let sum = byPrefix.get('') ?? 0
    for (let at = prefix.length; at > 0; at = prefix.lastIndexOf('/', at - 1))
      sum += byPrefix.get(prefix.slice(0, at)) ?? 0
    return sum
  })
  return most(sums)
}

const most = (numbers: Iterable<number>): number => {
  let found = 0
  for (const number of numbers) found = Math.max(found, number)
  return found
}
