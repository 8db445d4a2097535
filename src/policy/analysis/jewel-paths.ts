import type { Party } from '../party.ts'
import type { ReachGraph, Step } from './reach.ts'

/** A shortest way from somebody to a crown jewel. */
export interface JewelPath {
  readonly from: string
  readonly zone: string | null
  readonly jewel: string
  readonly way: readonly Step[]
}

interface Towards {
  readonly hops: number
  readonly next: string
}

/**
 * For each source and each crown jewel that it reaches one shortest way: found backwards from the jewels, so that many sources cost
 * little.
 *
 * @see zones.md §4.2
 */
export function jewelPaths(graph: ReachGraph, sources: readonly Party[]): JewelPath[] {
  const services = [...graph.tables.services.keys()]
  const jewels = services.filter((id) => graph.isCrownJewel(id))
  const callers = callersOf(graph, services)
  return jewels.flatMap((jewel) => {
    const towards = backwards(jewel, callers)
    return sources.flatMap((source) => {
      const way = wayTo(graph, source.id, jewel, towards)
      return way === undefined ? [] : { from: source.id, zone: source.zone?.id ?? null, jewel, way }
    })
  })
}

/** A service that can act on another, and whether it can act as that one from then on. */
interface Caller {
  readonly service: string
  readonly pivot: boolean
}

function callersOf(graph: ReachGraph, services: readonly string[]): Map<string, Caller[]> {
  const callers = new Map<string, Caller[]>()
  for (const caller of services)
    for (const { service, actions } of graph.direct(graph.identityOf(caller) ?? '')) {
      const found = { service: caller, pivot: actions.some(({ pivot }) => pivot) }
      const known = callers.get(service)
      if (known === undefined) callers.set(service, [found])
      else known.push(found)
    }
  return callers
}

/** How far each service is from a jewel, and which service comes next. */
function backwards(jewel: string, callers: ReadonlyMap<string, readonly Caller[]>): Map<string, Towards> {
  const towards = new Map<string, Towards>([[jewel, { hops: 0, next: jewel }]])
  for (const [at, { hops }] of towards)
    for (const { service, pivot } of callers.get(at) ?? [])
      if ((pivot || at === jewel) && !towards.has(service)) towards.set(service, { hops: hops + 1, next: at })
  return towards
}

/** Somebody acts on a service, then as it on the next, while actions hand its identity over. */
function wayTo(
  graph: ReachGraph,
  from: string,
  jewel: string,
  towards: ReadonlyMap<string, Towards>,
): readonly Step[] | undefined {
  const steps = graph.direct(from).flatMap(({ service, actions }) => {
    const hops = towards.get(service)?.hops
    const action = service === jewel ? actions[0] : actions.find(({ pivot }) => pivot)
    return hops === undefined || action === undefined ? [] : { service, hops, action }
  })
  const [first] = steps.sort((a, b) => a.hops - b.hops)
  if (first === undefined) return undefined
  const { action, conduit, rule } = first.action
  const step = { from, service: first.service, action, conduit, rule }
  if (first.service === jewel) return [step]
  return [step, ...restOf(graph, first.service, jewel, towards)]
}

function restOf(graph: ReachGraph, service: string, jewel: string, towards: ReadonlyMap<string, Towards>): Step[] {
  const way: Step[] = []
  for (let at = service; at !== jewel;) {
    const next = towards.get(at)?.next ?? jewel
    const from = graph.identityOf(at) ?? ''
    const actions = graph.direct(from).find((reach) => reach.service === next)?.actions ?? []
    const { action = '', conduit = null, rule = null } = actions.find(({ pivot }) => pivot) ?? actions[0] ?? {}
    way.push({ from, service: next, action, conduit, rule })
    at = next
  }
  return way
}
