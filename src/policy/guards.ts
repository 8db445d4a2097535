import type { CompiledGuard } from './guard.ts'
import type { MatchedAction } from './action-table.ts'
import type { ConditionFacts } from './condition/compile-condition.ts'
import type { Question } from './question.ts'

/** The guards that match, in the order of their ids. */
export function matchingGuards(
  question: Question,
  gate: 'movement' | 'access',
  guards: readonly CompiledGuard[],
  action: MatchedAction | undefined,
  facts: ConditionFacts = question.facts,
): readonly CompiledGuard[] {
  if (guards.length === 0) return guards
  return guards.filter((guard) => {
    const matches = speaksOfAction(question, gate, guard, action) && holds(guard, facts)
    if (!matches) {
      question.record?.({ gate, kind: 'guard', id: guard.id, party: facts.src.id ?? '', outcome: 'doesNotMatch' })
    }
    return matches
  })
}

/** What cannot be read matches every action (ZO-25); a path is opened for all of them. */
const speaksOfAction = (
  { asked }: Question,
  gate: 'movement' | 'access',
  { actions }: CompiledGuard,
  action: MatchedAction | undefined,
): boolean =>
  actions === undefined ||
  gate === 'movement' ||
  asked?.isUnreadable === true ||
  (action !== undefined && actions.has(action.name))

/** An error in its condition is a match: errors never widen access. */
const holds = ({ when }: CompiledGuard, facts: ConditionFacts): boolean => when === undefined || when(facts) !== false

/** Is it among the exceptions of all of them? */
export function isExcepted(guards: readonly CompiledGuard[], id: string): boolean {
  for (const { except } of guards) if (!except.has(id)) return false
  return true
}

/** A hard guard none of whose exceptions is live: observe mode does not soften it (ZO-30). */
export const standsHard = (guards: readonly CompiledGuard[], isLive: (id: string) => boolean): boolean =>
  guards.some(({ hard, except }) => hard && ![...except].some(isLive))
