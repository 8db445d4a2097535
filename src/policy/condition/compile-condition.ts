import { isInRange, parseIp, parseIpRange, type IpRange } from './ip-range.ts'
import { parseCondition } from './parse-condition.ts'
import type { AttributeName, Collection, Comparison, Expression, Literal } from './syntax.ts'

/** What conditions read; undefined: missing, which is an error where it is reached. */
export interface ConditionFacts {
  readonly src: PartyFacts
  readonly dst: PartyFacts
  readonly method: string | undefined
  readonly route: string | undefined
  readonly authority: string | undefined
  readonly port: number
  readonly ip: string | undefined
}

export interface PartyFacts {
  readonly id: string | undefined
  readonly zone: string | undefined
  readonly target: number | undefined
  readonly labels: Readonly<Record<string, string>>
}

/** `error`: something was missing or of another type. What that means is the caller's affair (§3.5). */
export type Condition = (facts: ConditionFacts) => boolean | 'error'

/** Instants are boxed, so that they are never equal to integers. */
interface Instant {
  readonly instant: number
}
type Labels = Readonly<Record<string, string>>
type Value = string | number | boolean | Instant | { readonly labels: Labels } | undefined
/** Undefined is an error. */
type Step = (facts: ConditionFacts) => Value

/** A condition as a closure, without loops over its text or its tree. */
export function compileCondition(text: string): Condition {
  return compileExpression(parseCondition(text))
}

/** A condition, or a part of one. */
export function compileExpression(expression: Expression): Condition {
  const step = stepOf(expression)
  return (facts) => {
    const value = step(facts)
    return typeof value === 'boolean' ? value : 'error'
  }
}

function stepOf(expression: Expression): Step {
  switch (expression.kind) {
    case 'literal': {
      const value = valueOf(expression.literal)
      return () => value
    }
    case 'attribute':
      return readers[expression.name]
    case 'label': {
      const { of, key } = expression
      return (facts) => (Object.hasOwn(facts[of].labels, key) ? facts[of].labels[key] : undefined)
    }
    case 'has': {
      const { of, key } = expression
      return (facts) => Object.hasOwn(facts[of].labels, key)
    }
    case 'known': {
      const read = readers[expression.name]
      return (facts) => read(facts) !== undefined
    }
    case 'not': {
      const operand = stepOf(expression.operand)
      return (facts) => {
        const value = operand(facts)
        return typeof value === 'boolean' ? !value : undefined
      }
    }
    case 'and':
      return shortCircuit(stepOf(expression.left), stepOf(expression.right), false)
    case 'or':
      return shortCircuit(stepOf(expression.left), stepOf(expression.right), true)
    case 'compare':
      return comparisonOf(expression.operator, stepOf(expression.left), stepOf(expression.right))
    case 'in':
      return inOf(stepOf(expression.left), expression.right)
  }
}

const readers: Readonly<Record<AttributeName, Step>> = {
  'src.id': ({ src }) => src.id,
  'src.zone': ({ src }) => src.zone,
  'src.target': ({ src }) => src.target,
  'src.labels': ({ src }) => ({ labels: src.labels }),
  'dst.id': ({ dst }) => dst.id,
  'dst.zone': ({ dst }) => dst.zone,
  'dst.target': ({ dst }) => dst.target,
  'dst.labels': ({ dst }) => ({ labels: dst.labels }),
  'req.method': ({ method }) => method,
  'req.route': ({ route }) => route,
  'req.authority': ({ authority }) => authority,
  'net.port': ({ port }) => port,
  'net.ip': ({ ip }) => ip,
}

const valueOf = (literal: Literal): Exclude<Value, undefined> =>
  literal.kind === 'instant' ? { instant: literal.value } : literal.value

/** From the left: `decisive` ends it, and an error that is reached is the error of the whole (ZO-40). */
function shortCircuit(left: Step, right: Step, decisive: boolean): Step {
  return (facts) => {
    const first = left(facts)
    if (typeof first !== 'boolean') return undefined
    if (first === decisive) return decisive
    const second = right(facts)
    return typeof second === 'boolean' ? second : undefined
  }
}

function comparisonOf(operator: Comparison, left: Step, right: Step): Step {
  if (operator === '==' || operator === '!=') {
    return (facts) => {
      const [a, b] = [left(facts), right(facts)]
      return a === undefined || b === undefined ? undefined : isEqual(a, b) === (operator === '==')
    }
  }
  return (facts) => {
    const difference = differenceOf(left(facts), right(facts))
    if (difference === undefined) return undefined
    if (operator === '<') return difference < 0
    if (operator === '<=') return difference <= 0
    return operator === '>' ? difference > 0 : difference >= 0
  }
}

function isEqual(a: Value, b: Value): boolean {
  if (isInstant(a) && isInstant(b)) return a.instant === b.instant
  return typeof a !== 'object' && a === b
}

function differenceOf(a: Value, b: Value): number | undefined {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return isInstant(a) && isInstant(b) ? a.instant - b.instant : undefined
}

const isInstant = (value: Value): value is Instant => typeof value === 'object' && 'instant' in value

function inOf(left: Step, right: Collection): Step {
  if (right.kind === 'cidr') return inCidr(left, parseIpRange(right.range) as IpRange)
  const items = right.items.map(valueOf)
  return (facts) => {
    const value = left(facts)
    if (value === undefined) return undefined
    for (const item of items) if (isEqual(value, item)) return true
    return false
  }
}

function inCidr(left: Step, range: IpRange): Step {
  return (facts) => {
    const value = left(facts)
    const address = typeof value === 'string' ? parseIp(value) : undefined
    return address === undefined ? undefined : isInRange(address, range)
  }
}
