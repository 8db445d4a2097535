import { candidatesOf } from './candidates.ts'
import { covers, joins, type CompiledConduit } from '../conduit.ts'
import type { CompiledGuard } from '../guard.ts'
import { isExcepted, standsHard } from '../guards.ts'
import { conduitsBetween } from '../pair.ts'
import type { Party } from '../party.ts'
import type { Action, Listener } from '../policy-set.ts'
import type { CompiledRule } from '../rule-index.ts'
import type { CompiledService, Tables } from '../tables.ts'
import { isAlwaysValid, mayBeOpen, mayBeValid, type Moment } from './moment.ts'
import { possibleOutcomes } from './possible-outcomes.ts'

export interface ReachOptions {
  readonly moment: Moment
  /**
   * `intended`: as it is written. `effective`: a zone that observes lets every local identity do everything, but for what hard
   * guards forbid and on ports that it enforces.
   */
  readonly variant: 'intended' | 'effective'
  /** Services that do not enforce, such as plain SPIFFE servers: whoever has an SVID does everything there (SE-48). */
  readonly unenforced?: ReadonlySet<string>
  /** What-if: as if these conduits were not there, and these zones did not observe (§4.7). */
  readonly without?: { readonly conduits: ReadonlySet<string>; readonly observing: ReadonlySet<string> }
}

/** What one identity may do on one service without anybody else. */
export interface DirectReach {
  readonly service: string
  readonly actions: readonly ReachedAction[]
}

export interface ReachedAction {
  readonly action: string
  /** Who may do it can act as the service from then on (§4.1). */
  readonly pivot: boolean
  /** What opens the two gates; null: nothing, but the zone observes or the service does not enforce. */
  readonly conduit: string | null
  readonly rule: string | null
}

/**
 * `D(a)`: every service that an identity reaches by itself, without grants and break-glass, in the order of the services.
 *
 * Conditions are asked without a request: where they need one they may hold for an allow, and may not for a deny or a guard
 * (ZO-61).
 *
 * @see zones.md §4.1
 */
export function directReach(tables: Tables, source: Party, options: ReachOptions): DirectReach[] {
  const rules = new Map<string, CompiledRule[]>()
  for (const rule of candidatesOf(tables).rulesOf(source)) {
    const others = rules.get(rule.rule.to)
    if (others === undefined) rules.set(rule.rule.to, [rule])
    else others.push(rule)
  }
  const found: DirectReach[] = []
  for (const service of servicesFor(tables, rules, options)) {
    const actions = reachedActions(tables, source, service, rules.get(service.id) ?? [], options)
    if (actions.length > 0) found.push({ service: service.id, actions })
  }
  return found
}

/** Those that a rule lets the source into, that observe, or that admit everybody. */
function servicesFor(
  tables: Tables,
  rules: ReadonlyMap<string, readonly CompiledRule[]>,
  { variant, unenforced }: ReachOptions,
): CompiledService[] {
  const { observing, orderOf } = candidatesOf(tables)
  const wanted = new Set<string>(unenforced)
  for (const [to, own] of rules) if (own.some(({ isAllow }) => isAllow)) wanted.add(to)
  if (variant === 'effective') for (const { id } of observing) wanted.add(id)
  const services = [...wanted].flatMap((id) => {
    const service = tables.services.get(id)
    return service === undefined ? [] : { service, order: orderOf.get(id) ?? 0 }
  })
  return services.sort((a, b) => a.order - b.order).map(({ service }) => service)
}

/** What these rules, and no others, let a source do on a service. */
export function reachedActions(
  tables: Tables,
  source: Party,
  service: CompiledService,
  rules: readonly CompiledRule[],
  options: ReachOptions,
): readonly ReachedAction[] {
  const { party: destination } = service
  const isLocal = source.foreignDomain === undefined
  const observes = options.variant === 'effective' && isLocal && isObserving(destination, options)
  const between = conduitsBetween(tables, source, destination)
  const isOpen = options.unenforced?.has(service.id) === true
  const conduits = between.filter(
    (conduit) =>
      joins(conduit, source, destination) &&
      mayBeOpen(conduit, options.moment) &&
      options.without?.conduits.has(conduit.id) !== true,
  )
  if (conduits.length === 0 && !observes && !isOpen) return []
  const movementGuards = standing(tables, tables.movementGuards, source, service)
  const accessGuards = standing(tables, tables.accessGuards, source, service)
  return service.service.actions.flatMap((action): ReachedAction[] => {
    const guards = accessGuards.filter(({ actions }) => actions === undefined || actions.has(action.name))
    const listeners = service.service.listeners.filter((listener) => serves(listener, action))
    const conduit = conduits.find(
      (one) => isExcepted(movementGuards, one.id) && listeners.some((listener) => leadsTo(one, listener)),
    )
    const rule = openingRule(tables, rules, guards, source, service, action, options.moment)
    const reached = { action: action.name, pivot: action.pivot }
    if (conduit !== undefined && rule !== undefined) return [{ ...reached, conduit: conduit.id, rule: rule.id }]
    if (isOpen) return [{ ...reached, conduit: conduit?.id ?? null, rule: rule?.id ?? null }]
    const isSoftened =
      observes &&
      listeners.some(({ port }) => destination.zone?.enforceOnly.has(port) !== true) &&
      !standsHard(movementGuards, (id) => conduits.some((one) => one.id === id)) &&
      !standsHard(guards, (id) => rule?.id === id)
    return isSoftened ? [{ ...reached, conduit: conduit?.id ?? null, rule: rule?.id ?? null }] : []
  })
}

const isObserving = ({ zone }: Party, { without }: ReachOptions): boolean =>
  zone?.observes === true && without?.observing.has(zone.id) !== true

/** Guards that match whatever the request is; an error in a condition is a match. */
function standing(
  tables: Tables,
  guards: readonly CompiledGuard[],
  source: Party,
  { id, party }: CompiledService,
): readonly CompiledGuard[] {
  return guards.filter(
    (guard) =>
      guard.concerns(source, party, id) &&
      (guard.guard.when === undefined ||
        !possibleOutcomes(tables, guard.guard.when)(source.facts, party.facts).mayFail),
  )
}

/** A raw connection needs a TCP listener, a request any other. */
const serves = ({ protocol }: Listener, { match }: Action): boolean =>
  match.some(({ kind }) => (kind === 'connect') === (protocol === 'tcp'))

const leadsTo = ({ conduit }: CompiledConduit, { protocol, port }: Listener): boolean =>
  covers(conduit.allow, protocol, port)

function openingRule(
  tables: Tables,
  rules: readonly CompiledRule[],
  guards: readonly CompiledGuard[],
  source: Party,
  { party }: CompiledService,
  { name }: Action,
  moment: Moment,
): CompiledRule | undefined {
  const outcomesOf = ({ rule }: CompiledRule) =>
    rule.when === undefined ? undefined : possibleOutcomes(tables, rule.when)(source.facts, party.facts)
  const speaking = rules.filter(({ actions }) => actions.has(name))
  const isDenied = speaking.some(
    (rule) => !rule.isAllow && isAlwaysValid(rule.rule.valid, moment) && outcomesOf(rule)?.mayFail !== true,
  )
  if (isDenied) return undefined
  return speaking.find(
    (rule) =>
      rule.isAllow &&
      isExcepted(guards, rule.id) &&
      mayBeValid(rule.rule.valid, moment) &&
      outcomesOf(rule)?.mayHold !== false,
  )
}
