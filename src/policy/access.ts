import type { MatchedAction } from './action-table.ts'
import { firstOf, type Code } from './codes.ts'
import type { ConditionFacts } from './condition/compile-condition.ts'
import type { AccessGate } from './decision.ts'
import { elevateAccess } from './elevation.ts'
import { isExcepted, matchingGuards, standsHard } from './guards.ts'
import { pairOf, rulesOfAction } from './pair.ts'
import type { Party } from './party.ts'
import { changesAt, type Question } from './question.ts'
import type { Candidate, Outcome } from './record.ts'
import type { CompiledRule } from './rule-index.ts'
import type { CompiledService } from './tables.ts'
import { isValid, nextEdge } from './windows.ts'

export interface AccessVerdict {
  readonly gate: AccessGate
  readonly isHard: boolean
  /** The action that was refused, else the one that will be done; null: the request is none. */
  readonly action: MatchedAction | null
}

/**
 * Gate 2: may this identity do this on this service now. Per request; per connection where bytes are all there is.
 *
 * @see zones.md §3.5 stage 3; ZO-21, ZO-24
 */
export function decideAccess(question: Question): AccessVerdict {
  const { service, asked, source } = question
  if (service === undefined) return { gate: deny('UNKNOWN_SERVICE'), isHard: false, action: null }
  if (asked === undefined) return { gate: notEvaluated, isHard: false, action: null }
  if (asked.refused !== null) {
    const guards = matchingGuards(question, 'access', question.pair?.accessGuards ?? [], undefined)
    return { gate: deny(asked.refused), isHard: standsHard(guards, () => false), action: null }
  }
  return everyAction(asked.actions, (action) => mayAct(question, service, source, action, true))
}

export const notEvaluated: AccessGate = { result: 'notEvaluated', code: null, by: null }
const deny = (code: Code, by: AccessGate['by'] = null): AccessGate => ({ result: 'deny', code, by })
const allow = (by: AccessGate['by']): AccessGate => ({ result: 'allow', code: null, by })

/** All of one or more must be allowed (ZO-54); the first that is not is told, else the last. */
export const everyAction = (
  actions: readonly MatchedAction[],
  verdictOf: (action: MatchedAction) => AccessVerdict,
): AccessVerdict => actions.map(verdictOf).reduce(both)

const both = (first: AccessVerdict, second: AccessVerdict): AccessVerdict => ({
  ...(first.gate.result === 'deny' ? first : second),
  isHard: first.isHard || second.isHard,
})

/** One party and one action: guards, deny rules, allow rules, elevation. A caller that a token names is never elevated. */
export function mayAct(
  question: Question,
  service: CompiledService,
  party: Party,
  action: MatchedAction,
  mayBeElevated: boolean,
): AccessVerdict {
  const pair = pairOf(question.tables, party, service)
  const facts = factsOf(question, party, action)
  const { record } = question
  const note =
    record === undefined
      ? undefined
      : (kind: Candidate['kind'], id: string, outcome: Outcome): void =>
          record({ gate: 'access', kind, id, party: party.id, outcome })
  const guards = matchingGuards(question, 'access', pair.accessGuards, action, facts)
  for (const { id } of guards) note?.('guard', id, 'closes')
  const { allows, denies, bounded } = rulesOfAction(pair, action.name)
  for (const { rule } of bounded) changesAt(question, nextEdge(rule.valid, question.now))
  const isHard = standsHard(guards, (id) =>
    allows.some((rule) => rule.id === id && closedBecause(question, rule, facts) === null),
  )
  const verdict = (gate: AccessGate): AccessVerdict => ({ gate, isHard, action })

  const [guard] = guards
  if (guard !== undefined && !allows.some(({ id }) => isExcepted(guards, id))) {
    return verdict(deny('GUARD', { kind: 'guard', id: guard.id }))
  }

  for (const rule of denies) {
    const isApplied = isValid(rule.rule.valid, question.now) && (rule.when === undefined || rule.when(facts) !== false)
    note?.('rule', rule.id, isApplied ? 'closes' : 'doesNotMatch')
    if (isApplied) return verdict(deny('DENY_RULE', { kind: 'rule', id: rule.id }))
  }

  let refused: Code | null = null
  for (const rule of allows) {
    if (!isExcepted(guards, rule.id)) continue
    const closed = closedBecause(question, rule, facts)
    note?.('rule', rule.id, closed === null ? 'opens' : outcomeOf[closed])
    if (closed === null) return verdict(allow({ kind: 'rule', id: rule.id }))
    refused = firstOf(refused, closed)
  }
  if (guard !== undefined || !mayBeElevated || question.forensics !== undefined)
    return verdict(deny(refused ?? 'NO_RULE'))
  const elevation = elevateAccess(question, service.party, service.id, action.name)
  if ('by' in elevation) return verdict(allow(elevation.by))
  return verdict(deny(firstOf(elevation.refused === null ? refused : firstOf(refused, elevation.refused), 'NO_RULE')))
}

const outcomeOf = { CONDITION_ERROR: 'conditionError', RULE_EXPIRED: 'expired', NO_RULE: 'conditionFalse' } as const

/** The facts of the question, where the caller of a token stands in for the source. */
function factsOf({ facts, source, asked }: Question, party: Party, action: MatchedAction): ConditionFacts {
  if (party === source && asked?.actions.length === 1) return facts
  return { ...facts, src: party.facts, route: action.route ?? undefined }
}

/** Why an allow rule does not allow. */
function closedBecause(
  { now }: Question,
  { rule, when }: CompiledRule,
  facts: ConditionFacts,
): 'RULE_EXPIRED' | 'CONDITION_ERROR' | 'NO_RULE' | null {
  if (!isValid(rule.valid, now)) return 'RULE_EXPIRED'
  const holds = when === undefined || when(facts)
  return holds === 'error' ? 'CONDITION_ERROR' : holds ? null : 'NO_RULE'
}
