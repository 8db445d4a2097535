import { decideWith } from './decide.ts'
import type { Decision } from './decision.ts'
import type { CompiledGuard } from './guard.ts'
import type { LifecycleIndex } from './lifecycle-index.ts'
import { conduitsForOthers, fixOf, nearestConduits, neverAsked, rulesForOthers } from './near-misses.ts'
import type { Party } from './party.ts'
import type { Conduit, Guard, Rule } from './policy-set.ts'
import type { Candidate } from './record.ts'
import type { PolicyRequest } from './request.ts'
import type { Tables } from './tables.ts'

/** A decision with everything that was asked on the way to it. */
export interface Explanation {
  readonly policy: string
  readonly request: PolicyRequest
  readonly decision: Decision
  readonly source: Place | null
  readonly destination: Place | null
  /** In the order in which they were asked; then those that are for others. */
  readonly candidates: readonly Candidate[]
  readonly guards: ReadonlyMap<string, Guard>
  readonly conduits: ReadonlyMap<string, Conduit>
  readonly rules: ReadonlyMap<string, Rule>
  /** Conduits that lead to the same destination from elsewhere. */
  readonly nearest: readonly Conduit[]
  readonly fix: string | null
}

/** Where a party stands, for people. */
export interface Place {
  readonly id: string
  readonly zones: readonly string[]
  /** The pattern, label or selector that placed it. */
  readonly via: string
  readonly target: number | null
  readonly sensitivity: string | null
  readonly crownJewel: boolean
}

/** Decides as `decide` does, by the same code, and tells every candidate with the reason why it did or did not match. */
export function explain(tables: Tables, lifecycle: LifecycleIndex, request: PolicyRequest): Explanation {
  const candidates: Candidate[] = []
  const decision = decideWith(tables, lifecycle, request, (candidate) => candidates.push(candidate))
  const source = decision.src.id === null ? undefined : tables.parties.of(decision.src.id)
  const service = tables.services.get(request.service)
  const wasAsked = decision.gates.movement.result !== 'notEvaluated'
  const isNear = wasAsked && typeof source === 'object' && service !== undefined
  if (isNear) {
    candidates.push(
      ...neverAsked(tables, source, service, candidates, decision.action),
      ...conduitsForOthers(tables, source, service),
      ...rulesForOthers(source, service),
    )
  }
  const nearest = isNear ? nearestConduits(tables, source, service, request.connection.port) : []
  const guards = new Map([...tables.movementGuards, ...tables.accessGuards].map((guard) => [guard.id, guard]))
  return {
    policy: tables.set.name,
    request,
    decision,
    source: typeof source === 'object' ? placeOf(tables, source) : null,
    destination: service === undefined ? null : placeOf(tables, service.party),
    candidates,
    guards: new Map([...guards].map(([id, { guard }]) => [id, guard])),
    conduits: new Map(tables.set.conduits.map((conduit) => [conduit.id, conduit])),
    rules: new Map((service?.rules.all ?? []).map(({ id, rule }) => [id, rule])),
    nearest,
    fix: fixOf(tables, decision, nearest, closingGuard(decision, guards)),
  }
}

function closingGuard(
  { gates, deniedBy }: Decision,
  guards: ReadonlyMap<string, CompiledGuard>,
): CompiledGuard | undefined {
  const by = deniedBy === 'movement' ? gates.movement.by : gates.access.by
  return by === null ? undefined : guards.get(by.id)
}

function placeOf(tables: Tables, party: Party): Place {
  const { id, zone, zoneIds } = party
  return {
    id,
    zones: zoneIds,
    via: tables.parties.viaOf(party),
    target: zone?.target ?? null,
    sensitivity: zone?.sensitivity ?? null,
    crownJewel: zone?.crownJewel ?? false,
  }
}
