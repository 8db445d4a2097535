import { MembershipRules } from '../policy/membership-rules.ts'
import type { IdentityRow } from '../policy/membership.ts'
import { isExact, parsePattern, patternsOverlap, type Pattern } from '../policy/pattern.ts'
import type { Conduit, Endpoint, PolicySet, Rule, Service, Subject, Zone } from '../policy/policy-set.ts'

/** A policy with its names looked up, for checks that ask who can be where. */
export class PolicyIndex {
  readonly set: PolicySet
  readonly zones: ReadonlyMap<string, Zone>
  readonly services: ReadonlyMap<string, Service>
  readonly #conduitsTo: ReadonlyMap<string, readonly Conduit[]>
  readonly #membership: MembershipRules
  readonly #rows: ReadonlyMap<string, IdentityRow>
  readonly #patterns = new Map<string, Pattern>()
  readonly #zonesOfPattern = new Map<string, readonly string[]>()
  readonly #conduitsOfService = new Map<Service, readonly Conduit[]>()

  constructor(set: PolicySet, rows: Iterable<IdentityRow> = []) {
    this.set = set
    this.zones = new Map(set.zones.map((zone) => [zone.id, zone]))
    this.services = new Map(set.services.map((service) => [service.id, service]))
    this.#conduitsTo = Map.groupBy(
      set.conduits.filter(({ stage }) => stage === 'live'),
      ({ to }) => to.zone,
    )
    this.#membership = new MembershipRules(set)
    this.#rows = new Map([...rows].map((row) => [row.spiffeId, row]))
  }

  /** Parsed once; patterns of the own trust domain lose its name. */
  pattern(text: string): Pattern {
    let pattern = this.#patterns.get(text)
    if (pattern === undefined) {
      const { trustDomain, segments } = parsePattern(text)
      pattern = { trustDomain: trustDomain === this.set.trustDomain ? undefined : trustDomain, segments }
      this.#patterns.set(text, pattern)
    }
    return pattern
  }

  /** The zones that ids of a pattern can be in: of registered ones as they are, else as patterns say. */
  zonesOf(text: string): readonly string[] {
    let zones = this.#zonesOfPattern.get(text)
    if (zones === undefined) this.#zonesOfPattern.set(text, (zones = [...new Set(this.#findZones(text))]))
    return zones
  }

  #findZones(text: string): readonly string[] {
    const pattern = this.pattern(text)
    if (pattern.trustDomain !== undefined) return this.#foreignZones(pattern)
    if (isExact(pattern)) {
      const path = `/${pattern.segments.join('/')}`
      const row = this.#rows.get(`spiffe://${this.set.trustDomain}${path}`)
      if (row !== undefined) return row.zone === null ? [] : [row.zone].flat()
      return this.#membership.byPattern(pattern.segments).map(({ zone }) => zone)
    }
    const byPattern = this.set.zones.filter(({ members }) =>
      members.some(({ spiffe }) => spiffe === undefined || patternsOverlap(this.pattern(spiffe), pattern)),
    )
    return byPattern.map(({ id }) => id)
  }

  #foreignZones(pattern: Pattern): readonly string[] {
    const entries = this.set.federation.filter(
      ({ trustDomain, accept }) =>
        trustDomain === pattern.trustDomain &&
        accept.some((text) => patternsOverlap({ ...this.pattern(text), trustDomain }, pattern)),
    )
    return entries.map(({ zone }) => zone)
  }

  subjectZones(subject: Subject): readonly string[] {
    return 'zone' in subject ? [subject.zone] : this.zonesOf(subject.pattern)
  }

  serviceZones(service: Service): readonly string[] {
    return this.zonesOf(service.identity)
  }

  /** Live conduits to a service, on one of its listeners. */
  conduitsTo(service: Service): readonly Conduit[] {
    let conduits = this.#conduitsOfService.get(service)
    if (conduits === undefined) {
      const inZones = this.serviceZones(service).flatMap((zone) => this.#conduitsTo.get(zone) ?? [])
      conduits = inZones.filter((conduit) => this.leadsTo(conduit, service))
      this.#conduitsOfService.set(service, conduits)
    }
    return conduits
  }

  /** What grant templates open to a service. */
  grantedTo(service: Service): readonly Pick<Conduit, 'to' | 'allow'>[] {
    const zones = this.serviceZones(service)
    return this.set.grantTemplates
      .map(({ movement }) => movement)
      .filter((path) => zones.includes(path.to.zone) && this.leadsTo(path, service))
  }

  leadsTo({ to, allow }: Pick<Conduit, 'to' | 'allow'>, { identity, listeners }: Service): boolean {
    return (
      this.endpointHolds(to, identity) &&
      allow.some(({ protocol, ports }) =>
        listeners.some((listener) => listener.protocol === protocol && ports.includes(listener.port)),
      )
    )
  }

  /** Can ids of this pattern be what the endpoint names, as far as its identities go? */
  endpointHolds({ identities }: Endpoint, pattern: string): boolean {
    return (
      identities === undefined || identities.some((text) => patternsOverlap(this.pattern(text), this.pattern(pattern)))
    )
  }

  /** Can a subject of the rule use the conduit? */
  mayUse({ from }: Pick<Rule, 'from'>, conduit: Conduit): boolean {
    return from.some(
      (subject) =>
        this.subjectZones(subject).includes(conduit.from.zone) &&
        ('zone' in subject || this.endpointHolds(conduit.from, subject.pattern)),
    )
  }
}
