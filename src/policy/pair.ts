import { joins, type CompiledConduit } from './conduit.ts'
import type { CompiledGuard } from './guard.ts'
import type { Party } from './party.ts'
import type { CompiledRule } from './rule-index.ts'
import type { CompiledService, Tables } from './tables.ts'

/** All that can concern one source and one service, whatever the request: the candidates of both gates, by id. */
export interface Pair {
  readonly conduits: readonly CompiledConduit[]
  /** Those that name the source, whatever the action. */
  readonly rules: readonly CompiledRule[]
  /** The same by action; filled as it is asked for. */
  readonly byAction: Map<string, RulesOfAction>
  readonly movementGuards: readonly CompiledGuard[]
  readonly accessGuards: readonly CompiledGuard[]
}

export interface RulesOfAction {
  readonly allows: readonly CompiledRule[]
  readonly denies: readonly CompiledRule[]
  /** Those of both that begin or end. */
  readonly bounded: readonly CompiledRule[]
}

export function rulesOfAction({ byAction, rules }: Pair, action: string): RulesOfAction {
  let found = byAction.get(action)
  if (found === undefined) {
    const speaking = rules.filter(({ actions }) => actions.has(action))
    found = {
      allows: speaking.filter(({ isAllow }) => isAllow),
      denies: speaking.filter(({ isAllow }) => !isAllow),
      bounded: speaking.filter(({ rule: { valid } }) => valid.from !== undefined || valid.until !== undefined),
    }
    byAction.set(action, found)
  }
  return found
}

/** Kept for as long as the service and the source are. */
const pairs = new WeakMap<CompiledService, WeakMap<Party, Pair>>()

/** Found once: a decision looks at candidates only. */
export function pairOf(tables: Tables, source: Party, service: CompiledService): Pair {
  let ofService = pairs.get(service)
  if (ofService === undefined) pairs.set(service, (ofService = new WeakMap()))
  const known = ofService.get(source)
  if (known !== undefined) return known
  const { party: destination } = service
  const zones = conduitsBetween(tables, source, destination)
  const concerned = ({ concerns }: CompiledGuard): boolean => concerns(source, destination, service.id)
  const pair: Pair = {
    conduits: zones.filter((conduit) => joins(conduit, source, destination)),
    rules: service.rules.of(source),
    byAction: new Map(),
    movementGuards: tables.movementGuards.filter(concerned),
    accessGuards: tables.accessGuards.filter(concerned),
  }
  ofService.set(source, pair)
  return pair
}

/** The conduits of the two zones, for whichever identities. */
export function conduitsBetween(tables: Tables, source: Party, destination: Party): readonly CompiledConduit[] {
  if (source.zone === undefined || destination.zone === undefined) return []
  return tables.conduits.get(source.zone.id)?.get(destination.zone.id) ?? []
}
