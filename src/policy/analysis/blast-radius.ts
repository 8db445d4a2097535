import type { IdentityRow } from '../membership.ts'
import type { Party } from '../party.ts'
import type { Target } from '../policy-set.ts'
import { BitRows } from './bit-rows.ts'
import { classesOf, type IdentityClass } from './classes.ts'
import { Closure } from './closure.ts'
import type { DirectReach } from './direct-reach.ts'
import type { ReachGraph } from './reach.ts'

/** How far a compromise gets, in numbers. */
export interface Radius {
  readonly services: number
  readonly zones: number
  readonly crownJewels: number
  /** Each service counts 2 to the power of the target of its zone. */
  readonly weight: number
}

/** A class of identities and what each of them reaches in the end. */
export interface ClassRadius extends Radius {
  readonly members: IdentityClass
}

export const weightOf = (target: Target | undefined): number => 2 ** (target ?? 0)

/**
 * What every identity reaches in any number of hops: the services that lead to each other are found once, then each class of
 * identities adds up what its direct reach leads to.
 *
 * @see zones.md §4.1
 */
export class BlastRadii {
  readonly #graph: ReachGraph
  readonly #numberOf: ReadonlyMap<string, number>
  readonly #ids: readonly string[]
  /** By the number of a service: its zone's number, 1 for a crown jewel, its weight. */
  readonly #zones: Int32Array
  readonly #jewels: Uint8Array
  readonly #weights: Uint8Array
  readonly #closure: Closure
  readonly #reached: BitRows
  readonly #known = new Map<string, Radius>()

  constructor(graph: ReachGraph) {
    this.#graph = graph
    const services = [...graph.tables.services.values()]
    this.#numberOf = new Map(services.map(({ id }, number) => [id, number]))
    this.#ids = services.map(({ id }) => id)
    const zoneNumbers = new Map([...new Set(services.map(({ party }) => party.zone?.id))].map((id, at) => [id, at]))
    this.#zones = Int32Array.from(services, ({ party }) => zoneNumbers.get(party.zone?.id) ?? 0)
    this.#jewels = Uint8Array.from(services, ({ party }) => (party.zone?.crownJewel === true ? 1 : 0))
    this.#weights = Uint8Array.from(services, ({ party }) => weightOf(party.zone?.target))
    const next = services.map(({ party }) => this.#pivots(graph.direct(party.id)))
    this.#closure = new Closure(next)
    this.#reached = new BitRows(1, services.length)
  }

  /** The services that somebody reaches with this direct reach, in the order of the policy. */
  services(direct: readonly DirectReach[]): string[] {
    this.#reach(direct)
    return this.#reached.list(0).map((number) => this.#ids[number] as string)
  }

  radius(direct: readonly DirectReach[]): Radius {
    const key = this.#keyOf(direct)
    let radius = this.#known.get(key)
    if (radius === undefined) this.#known.set(key, (radius = this.#count(direct)))
    return radius
  }

  /** Of all registered identities, class by class. */
  ofAll(rows: Iterable<IdentityRow>): ClassRadius[] {
    return classesOf(this.#graph.tables, rows).map((members) => ({
      members,
      ...this.radius(this.#graph.direct(members.example.id)),
    }))
  }

  /** Where services lead to each other, many direct reaches come to the same: that of a few components. */
  #keyOf(direct: readonly DirectReach[]): string {
    const components = new Map<number, number>()
    const ends: string[] = []
    for (const reach of direct) {
      const number = this.#numberOf.get(reach.service) as number
      if (isPivot(reach)) components.set(this.#closure.componentOf[number] as number, number)
      else ends.push(`e${number}`)
    }
    const nodes = [...components.values()]
    const first = nodes.filter((node) => !nodes.some((other) => other !== node && this.#closure.has(other, node)))
    const reached = first.map((node) => this.#closure.componentOf[node] as number)
    return [...reached.sort((a, b) => a - b), ...ends].join(' ')
  }

  #count(direct: readonly DirectReach[]): Radius {
    this.#reach(direct)
    const zones = new Set<number>()
    let [services, crownJewels, weight] = [0, 0, 0]
    this.#reached.each(0, (number) => {
      services++
      zones.add(this.#zones[number] as number)
      crownJewels += this.#jewels[number] as number
      weight += this.#weights[number] as number
    })
    return { services, zones: zones.size, crownJewels, weight }
  }

  #reach(direct: readonly DirectReach[]): void {
    this.#reached.clear(0)
    for (const reach of direct) {
      const number = this.#numberOf.get(reach.service) as number
      if (isPivot(reach)) this.#closure.addTo(this.#reached, 0, number)
      else this.#reached.add(0, number)
    }
  }

  #pivots(direct: readonly DirectReach[]): number[] {
    return direct.filter(isPivot).map(({ service }) => this.#numberOf.get(service) as number)
  }
}

/**
 * Other services that a service can act as next, on average: near 1 and above most can reach most.
 *
 * @see zones.md §4.1
 */
export function meanOutDegree(graph: ReachGraph): number {
  const services = [...graph.tables.services.values()]
  const others = ({ id }: Party): number =>
    graph.direct(id).filter((reach) => isPivot(reach) && graph.identityOf(reach.service) !== id).length
  const steps = services.reduce((sum, { party }) => sum + others(party), 0)
  return steps / Math.max(1, services.length)
}

const isPivot = ({ actions }: DirectReach): boolean => actions.some(({ pivot }) => pivot)
