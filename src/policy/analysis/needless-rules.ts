import type { IdentityRow } from '../membership.ts'
import type { Party } from '../party.ts'
import type { CompiledRule } from '../rule-index.ts'
import type { Tables } from '../tables.ts'
import { candidatesOf } from './candidates.ts'
import { reachedActions, type ReachOptions } from './direct-reach.ts'
import { everybody } from './everybody.ts'
import { mayBeValid } from './moment.ts'
import { pathsTo } from './paths-to.ts'

export const needlessKinds = {
  expired: 'it has ended',
  dead: 'no conduit leads any of its subjects to the service',
  shadowed: 'guards or deny rules refuse all that it allows',
  redundant: 'other rules allow all that it allows',
  open: 'no rule uses the conduit',
} as const
export type NeedlessKind = keyof typeof needlessKinds

export interface Needless {
  readonly kind: NeedlessKind
  readonly object: 'rule' | 'conduit'
  readonly id: string
  readonly owner: string
}

/** Rules and conduits without which nobody would lose anything. @see zones.md §4.8 */
export function needlessRules(tables: Tables, rows: Iterable<IdentityRow>, options: ReachOptions): Needless[] {
  const seen = new Map<CompiledRule, Seen>()
  const usedConduits = new Set<string>()
  for (const { example: party } of everybody(tables, [...rows])) {
    const rules = candidatesOf(tables).rulesOf(party)
    for (const rule of rules) if (rule.isAllow) look({ tables, party, rules, options, usedConduits }, rule, seen)
  }
  const allows = [...candidatesOf(tables).rules.values()].filter(({ isAllow }) => isAllow)
  return [
    ...allows.flatMap((rule): Needless[] => {
      const kind = mayBeValid(rule.rule.valid, options.moment) ? kindOf(seen.get(rule)) : 'expired'
      return kind === undefined ? [] : [{ kind, object: 'rule', id: rule.id, owner: rule.rule.owner }]
    }),
    ...tables.set.conduits
      .filter(({ id, stage }) => stage === 'live' && !usedConduits.has(id))
      .map(({ id, owner }): Needless => ({ kind: 'open', object: 'conduit', id, owner })),
  ]
}

/** What was found out about a rule, over all of its subjects. */
interface Seen {
  hasPath: boolean
  opens: boolean
  isNeeded: boolean
}

function kindOf(seen: Seen | undefined): NeedlessKind | undefined {
  if (seen?.hasPath !== true) return 'dead'
  if (!seen.opens) return 'shadowed'
  return seen.isNeeded ? undefined : 'redundant'
}

interface Looking {
  readonly tables: Tables
  readonly party: Party
  readonly rules: readonly CompiledRule[]
  readonly options: ReachOptions
  readonly usedConduits: Set<string>
}

function look(
  { tables, party, rules, options, usedConduits }: Looking,
  rule: CompiledRule,
  seen: Map<CompiledRule, Seen>,
): void {
  const service = tables.services.get(rule.rule.to)
  if (service === undefined) return
  let found = seen.get(rule)
  if (found === undefined) seen.set(rule, (found = { hasPath: false, opens: false, isNeeded: false }))
  const paths = pathsTo(tables, party, service)
  if (paths.length === 0) return
  found.hasPath = true
  const others = rules.filter((other) => other !== rule && other.rule.to === service.id)
  const alone = reachedActions(tables, party, service, [rule, ...others.filter(({ isAllow }) => !isAllow)], options)
  if (alone.length === 0) return
  found.opens = true
  for (const { id } of paths) usedConduits.add(id)
  if (found.isNeeded) return
  const wider = others.filter((other) => !other.isAllow || isNoNarrower(other, rule))
  const without = new Set(reachedActions(tables, party, service, wider, options).map(({ action }) => action))
  found.isNeeded = alone.some(({ action }) => !without.has(action))
}

/** Whenever one allows, the other does; of two that are alike the later one is needless. */
function isNoNarrower({ id, rule: other }: CompiledRule, { id: ownId, rule }: CompiledRule): boolean {
  const isWithin =
    (other.valid.from ?? -Infinity) <= (rule.valid.from ?? -Infinity) &&
    (other.valid.until ?? Infinity) >= (rule.valid.until ?? Infinity)
  if (!isWithin || (other.when !== undefined && other.when !== rule.when)) return false
  const isAlike =
    other.when === rule.when && other.valid.from === rule.valid.from && other.valid.until === rule.valid.until
  return !isAlike || id < ownId || other.actions.length > rule.actions.length || other.from.length > rule.from.length
}
