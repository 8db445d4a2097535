import { joins, type CompiledConduit } from './conduit.ts'
import type { CompiledGuard } from './guard.ts'
import type { Party } from './party.ts'
import type { CompiledRule } from './rule-index.ts'
import type { CompiledService, Tables } from './tables.ts'

/** All that can concern one source and one service, whatever the request: the candidates of both gates, by id. */
export interface Pair {
  readonly conduits: readonly CompiledConduit[]
  readonly allows: readonly CompiledRule[]
  readonly denies: readonly CompiledRule[]
  readonly movementGuards: readonly CompiledGuard[]
  readonly accessGuards: readonly CompiledGuard[]
}

/** Found once and kept with the party: a decision looks at candidates only. */
export function pairOf(tables: Tables, source: Party, service: CompiledService): Pair {
  const known = source.pairs.get(service.id)
  if (known !== undefined) return known
  const { party: destination } = service
  const zones = conduitsBetween(tables, source, destination)
  const rules = service.rules.of(source)
  const concerned = ({ concerns }: CompiledGuard): boolean => concerns(source, destination, service.id)
  const pair: Pair = {
    conduits: zones.filter((conduit) => joins(conduit, source, destination)),
    allows: rules.filter(({ isAllow }) => isAllow),
    denies: rules.filter(({ isAllow }) => !isAllow),
    movementGuards: tables.movementGuards.filter(concerned),
    accessGuards: tables.accessGuards.filter(concerned),
  }
  source.pairs.set(service.id, pair)
  return pair
}

/** The conduits of the two zones, for whichever identities. */
export function conduitsBetween(tables: Tables, source: Party, destination: Party): readonly CompiledConduit[] {
  if (source.zone === undefined || destination.zone === undefined) return []
  return tables.conduits.get(source.zone.id)?.get(destination.zone.id) ?? []
}
