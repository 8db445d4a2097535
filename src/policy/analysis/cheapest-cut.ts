import type { Party } from '../party.ts'
import type { Tables } from '../tables.ts'
import type { ReachOptions } from './direct-reach.ts'
import { jewelPaths } from './jewel-paths.ts'
import { mayBeOpen } from './moment.ts'
import { minCut, type NetworkEdge } from './min-cut.ts'
import { ObjectUses } from './object-use.ts'
import type { Observation } from './observed.ts'
import { pathsTo } from './paths-to.ts'
import { ReachGraph } from './reach.ts'

/** A conduit to remove, or a zone that observes to enforce. */
export interface Cut {
  readonly kind: 'conduit' | 'zone'
  readonly id: string
  /** Requests that were seen to use it, or that only observe mode let into the zone. */
  readonly uses: number
}

export interface CutOptions {
  readonly sources: readonly Party[]
  readonly observations: readonly Observation[]
  /** Conduits that must stay. */
  readonly keep: ReadonlySet<string>
}

/**
 * What to remove so that no source reaches any crown jewel, touching the least traffic: a minimal cut of the graph of zones, then
 * without what the services themselves do not need cut. Undefined: what must stay leads there.
 *
 * @see zones.md §4.2
 */
export function cheapestCut(tables: Tables, reach: ReachOptions, options: CutOptions): readonly Cut[] | undefined {
  if (!hasPath(tables, reach, options, [])) return []
  const { network, cuts, sources, targets, nodes } = zoneGraph(tables, reach, options)
  const found = minCut(nodes, network, sources, targets)
  if (found === undefined) return undefined
  let kept = found.flatMap((index) => cuts[index] ?? [])
  // Zones are coarser than services: what is dearest is tried first.
  for (const cut of kept.toSorted((a, b) => b.uses - a.uses)) {
    const fewer = kept.filter((other) => other !== cut)
    if (!hasPath(tables, reach, options, fewer)) kept = fewer
  }
  return kept
}

function hasPath(tables: Tables, reach: ReachOptions, { sources }: CutOptions, cuts: readonly Cut[]): boolean {
  const idsOf = (wanted: Cut['kind']): Set<string> =>
    new Set(cuts.filter(({ kind }) => kind === wanted).map(({ id }) => id))
  const without = { conduits: idsOf('conduit'), observing: idsOf('zone') }
  return jewelPaths(new ReachGraph(tables, { ...reach, without }), sources).length > 0
}

/** Fewer cuts are better among those that touch as much. */
const capacityOf = (uses: number): number => uses * 4096 + 1

interface ZoneGraph {
  readonly nodes: number
  readonly network: readonly NetworkEdge[]
  /** By the index of the edge; undefined: it cannot be cut. */
  readonly cuts: readonly (Cut | undefined)[]
  readonly sources: readonly number[]
  readonly targets: readonly number[]
}

function zoneGraph(tables: Tables, reach: ReachOptions, { sources, observations, keep }: CutOptions): ZoneGraph {
  const zones = [...tables.zones.values()]
  const numberOf = new Map(zones.map(({ id }, number) => [id, number]))
  const uses = new ObjectUses(observations)
  // Where identities are that no zone has: they enter what observes.
  const nowhere = 2 * zones.length
  const network: NetworkEdge[] = []
  const cuts: (Cut | undefined)[] = []
  const add = (from: number, to: number, cut: Cut | undefined): void => {
    network.push({ from, to, capacity: cut === undefined ? Infinity : capacityOf(cut.uses) })
    cuts.push(cut)
  }
  for (const id of carryingConduits(tables, reach, sources)) {
    const conduit = tables.set.conduits.find((one) => one.id === id)
    const [from, to] = [numberOf.get(conduit?.from.zone ?? ''), numberOf.get(conduit?.to.zone ?? '')]
    if (from === undefined || to === undefined || from === to) continue
    add(from, to, keep.has(id) ? undefined : { kind: 'conduit', id, uses: uses.conduit(id).count })
  }
  // Everybody enters a zone that observes by one edge, which enforcing it cuts.
  for (const { id, observes } of reach.variant === 'effective' ? zones : []) {
    if (!observes) continue
    const [zone, door] = [numberOf.get(id) as number, zones.length + (numberOf.get(id) as number)]
    for (const other of [...numberOf.values(), nowhere]) if (other !== zone) add(other, door, undefined)
    const admitted = observations.filter(({ wouldDeny, destinationZone }) => wouldDeny && destinationZone === id)
    add(door, zone, { kind: 'zone', id, uses: admitted.reduce((sum, { count }) => sum + count, 0) })
  }
  const numbersOf = (wanted: (id: string) => boolean): number[] =>
    [...numberOf].filter(([id]) => wanted(id)).map(([, number]) => number)
  const sourceZones = new Set(sources.map(({ zone }) => zone?.id))
  return {
    nodes: nowhere + 1,
    network,
    cuts,
    sources: [...numbersOf((id) => sourceZones.has(id)), ...(sourceZones.has(undefined) ? [nowhere] : [])],
    targets: numbersOf((id) => tables.zones.get(id)?.crownJewel === true),
  }
}

/** Conduits that a rule makes use of, for the sources or for a service. */
function carryingConduits(tables: Tables, reach: ReachOptions, sources: readonly Party[]): Set<string> {
  const graph = new ReachGraph(tables, reach)
  const carrying = new Set<string>()
  for (const party of [...sources, ...[...tables.services.values()].map((service) => service.party)])
    for (const { service, actions } of graph.direct(party.id)) {
      const destination = tables.services.get(service)
      if (destination === undefined || !actions.some(({ conduit }) => conduit !== null)) continue
      for (const conduit of pathsTo(tables, party, destination))
        if (mayBeOpen(conduit, reach.moment)) carrying.add(conduit.id)
    }
  return carrying
}
