import { ReachGraph, type Reached, type Step } from '../policy/analysis/reach.ts'
import { representatives } from '../policy/analysis/representatives.ts'
import { reachedAudiences, type ReachedAudience } from '../policy/analysis/token-reach.ts'
import type { Invariant, Place, PolicySet } from '../policy/policy-set.ts'
import type { Tables } from '../policy/tables.ts'
import { wholeId } from './sample-request.ts'

export interface InvariantResult {
  readonly id: string
  readonly kind: Invariant['kind']
  /** `skipped`: there is nothing to compare with. */
  readonly outcome: 'held' | 'failed' | 'skipped'
  readonly problems: readonly string[]
}

export interface InvariantOptions {
  readonly now: number
  readonly invariants: readonly Invariant[]
  readonly registered: readonly string[]
  readonly base?: Tables | undefined
}

/** So many problems of one invariant are named. */
const NAMED_MAX = 20

/**
 * Checks what must hold whatever the rules are. Reach is asked for every instant from now on, zones that observe count as open, and
 * a token that is had for an audience reaches the zone that owns it: what an attacker could do is what counts.
 *
 * @see zones.md §3.15, §4.1; ZO-61
 */
export function checkInvariants(tables: Tables, options: InvariantOptions): InvariantResult[] {
  const graph = new ReachGraph(tables, { moment: { from: options.now }, variant: 'effective' })
  const everybody = new Everybody(graph, options.registered)
  return options.invariants.map((invariant): InvariantResult => {
    const { id, kind } = invariant
    if (kind === 'noNewAccess' && options.base === undefined)
      return { id, kind, outcome: 'skipped', problems: ['there is no policy to compare with'] }
    const problems = [...problemsOf(invariant, everybody, options)]
    const named = problems.slice(0, NAMED_MAX)
    const more = problems.length > NAMED_MAX ? [`and ${problems.length - NAMED_MAX} more`] : []
    return { id, kind, outcome: problems.length === 0 ? 'held' : 'failed', problems: [...named, ...more] }
  })
}

function problemsOf(invariant: Invariant, everybody: Everybody, options: InvariantOptions): Iterable<string> {
  switch (invariant.kind) {
    case 'cannotReach':
      return reachedOf(invariant, everybody)
    case 'maxBlastRadius':
      return tooFar(invariant, everybody)
    case 'requireFields':
      return missingFields(invariant, everybody.graph.tables.set)
    case 'noNewAccess':
      return gained(everybody, options)
  }
}

/** The identities that a policy speaks of, found once for all invariants. */
class Everybody {
  readonly graph: ReachGraph
  readonly ids: readonly string[]

  constructor(graph: ReachGraph, registered: readonly string[]) {
    this.graph = graph
    this.ids = representatives(graph.tables, registered)
  }

  /** Who is at a place. */
  at(place: Place): readonly string[] {
    const { tables } = this.graph
    if ('identity' in place) return [wholeId(place.identity, tables.set.trustDomain)]
    if ('service' in place) return [this.graph.identityOf(place.service) ?? []].flat()
    return this.ids.filter((id) => {
      const party = tables.parties.of(id)
      return typeof party !== 'string' && party.zone?.id === place.zone
    })
  }

  isAt(service: string, place: Place): boolean {
    if ('service' in place) return service === place.service
    if ('zone' in place) return this.graph.zoneOf(service) === place.zone
    return this.graph.identityOf(service) === wholeId(place.identity, this.graph.tables.set.trustDomain)
  }
}

function* reachedOf(
  { from, to, hops }: Extract<Invariant, { kind: 'cannotReach' }>,
  everybody: Everybody,
): Generator<string> {
  const ids = everybody.at(from)
  for (const reached of everybody.graph.within(ids, hops))
    if (everybody.isAt(reached.service, to)) yield printWay(reached)
  if (!('zone' in to)) return
  for (const reached of reachedAudiences(everybody.graph, ids, { hops, mayFetch: true }))
    if (reached.zones.includes(to.zone)) yield printTokenWay(reached)
}

const printTokenWay = ({ from, way, audience, conduit }: ReachedAudience): string =>
  [...(way.length === 0 ? [from] : [printSteps(way)]), `token for ${audience} (by ${conduit})`].join(' → ')

/** `/web/front → orders (read by web-shop, read) → …` */
const printWay = ({ way }: Reached): string => printSteps(way)

function printSteps(way: readonly Step[]): string {
  const steps = way.map(({ service, action, conduit, rule }) => {
    const openers = [conduit ?? 'observe', rule ?? 'observe'].join(', ')
    return `${service} (${action} by ${openers})`
  })
  return [way[0]?.from ?? '', ...steps].join(' → ')
}

function* tooFar(
  { from, hops, services, zones, crownJewels }: Extract<Invariant, { kind: 'maxBlastRadius' }>,
  everybody: Everybody,
): Generator<string> {
  const { graph } = everybody
  for (const id of everybody.at(from)) {
    const reached = graph.within([id], hops)
    const reachedZones = new Set([
      ...reached.flatMap(({ service }) => graph.zoneOf(service) ?? []),
      ...reachedAudiences(graph, [id], { hops, mayFetch: true }).flatMap((token) => token.zones),
    ])
    const jewels = reached.filter(({ service }) => graph.isCrownJewel(service))
    for (const [what, count, limit] of [
      ['services', reached.length, services],
      ['zones', reachedZones.size, zones],
      ['crown jewels', jewels.length, crownJewels],
    ] as const)
      if (limit !== undefined && count > limit) yield `${id} reaches ${count} ${what}, at most ${limit} are allowed`
  }
}

function* missingFields(
  { on, fields }: Extract<Invariant, { kind: 'requireFields' }>,
  set: PolicySet,
): Generator<string> {
  for (const kind of on)
    for (const object of set[kind])
      for (const field of fields)
        if (isEmpty((object as unknown as Readonly<Record<string, unknown>>)[field]))
          yield `${kind}: ${object.id} has no ${field}`
}

/** Nothing, an empty text or list, or a validity without ends. */
function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && Object.values(value).every((part) => part === undefined)
}

/** What somebody may do that the base did not let them. */
function* gained(everybody: Everybody, { base, now, registered }: InvariantOptions): Generator<string> {
  if (base === undefined) return
  const { tables } = everybody.graph
  const options = { moment: { from: now }, variant: 'intended' } as const
  const [before, after] = [new ReachGraph(base, options), new ReachGraph(tables, options)]
  for (const id of new Set([...everybody.ids, ...representatives(base, registered)])) {
    const had = new Set(cellsOf(before, id))
    for (const cell of cellsOf(after, id)) if (!had.has(cell)) yield `${id} gains ${cell}`
  }
}

const cellsOf = (graph: ReachGraph, id: string): string[] =>
  graph.direct(id).flatMap(({ service, actions }) => actions.map(({ action }) => `${action} on ${service}`))
