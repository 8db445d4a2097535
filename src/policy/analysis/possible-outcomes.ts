import { compileExpression, type Condition, type PartyFacts } from '../condition/compile-condition.ts'
import { parseCondition } from '../condition/parse-condition.ts'
import type { Expression } from '../condition/syntax.ts'

/** What a condition can come to, whatever the request is. */
export interface Outcomes {
  readonly mayHold: boolean
  readonly mayFail: boolean
  readonly mayErr: boolean
}

/** The outcomes of a condition for two parties, over every request (ZO-61). */
export type PossibleOutcomes = (src: PartyFacts, dst: PartyFacts) => Outcomes

const ANY: Outcomes = { mayHold: true, mayFail: true, mayErr: true }

const compiled = new WeakMap<object, Map<string, PossibleOutcomes>>()

/** Reads a condition once per `owner`, such as the tables that it belongs to. */
export function possibleOutcomes(owner: object, text: string): PossibleOutcomes {
  let known = compiled.get(owner)
  if (known === undefined) compiled.set(owner, (known = new Map()))
  let outcomes = known.get(text)
  if (outcomes === undefined) known.set(text, (outcomes = compileOutcomes(parseCondition(text))))
  return outcomes
}

function compileOutcomes(expression: Expression): PossibleOutcomes {
  if (!readsRequest(expression)) return decided(compileExpression(expression))
  switch (expression.kind) {
    case 'not': {
      const operand = compileOutcomes(expression.operand)
      return (src, dst) => {
        const { mayHold, mayFail, mayErr } = operand(src, dst)
        return { mayHold: mayFail, mayFail: mayHold, mayErr }
      }
    }
    case 'and':
      return both(compileOutcomes(expression.left), compileOutcomes(expression.right), 'mayFail', 'mayHold')
    case 'or':
      return both(compileOutcomes(expression.left), compileOutcomes(expression.right), 'mayHold', 'mayFail')
    default:
      return () => ANY
  }
}

/** Nothing of the request is read, so nothing about it needs to be known. */
function decided(condition: Condition): PossibleOutcomes {
  return (src, dst) => {
    const value = condition({
      src,
      dst,
      method: undefined,
      route: undefined,
      authority: undefined,
      port: 0,
      ip: undefined,
    })
    return { mayHold: value === true, mayFail: value === false, mayErr: value === 'error' }
  }
}

/** From the left: what is `decisive` there ends it, only what is `neutral` asks the right (ZO-40). */
function both(
  left: PossibleOutcomes,
  right: PossibleOutcomes,
  decisive: 'mayHold' | 'mayFail',
  neutral: 'mayHold' | 'mayFail',
): PossibleOutcomes {
  return (src, dst) => {
    const first = left(src, dst)
    if (!first[neutral]) return first
    const second = right(src, dst)
    const outcome = { mayHold: second.mayHold, mayFail: second.mayFail, mayErr: first.mayErr || second.mayErr }
    return first[decisive] ? { ...outcome, [decisive]: true } : outcome
  }
}

function readsRequest(expression: Expression): boolean {
  switch (expression.kind) {
    case 'attribute':
    case 'known':
      return expression.name.startsWith('req.') || expression.name.startsWith('net.')
    case 'not':
      return readsRequest(expression.operand)
    case 'and':
    case 'or':
    case 'compare':
      return readsRequest(expression.left) || readsRequest(expression.right)
    case 'in':
      return readsRequest(expression.left)
    default:
      return false
  }
}
