import type { Random } from './random.ts'

/** A condition as a tree of its own, printed for both engines: neither reads what the other wrote. */
export type Condition =
  | {
      readonly kind: 'label'
      readonly of: 'src' | 'dst'
      readonly key: string
      readonly value: string
      readonly equal: boolean
    }
  | { readonly kind: 'has'; readonly of: 'src' | 'dst'; readonly key: string }
  | { readonly kind: 'text'; readonly name: TextName; readonly values: readonly string[]; readonly isList: boolean }
  | {
      readonly kind: 'number'
      readonly name: NumberName
      readonly operator: '<' | '<=' | '>' | '>=' | '==' | '!='
      readonly value: number
    }
  | { readonly kind: 'cidr'; readonly range: string }
  | { readonly kind: 'not'; readonly operand: Condition }
  | { readonly kind: '&&' | '||'; readonly left: Condition; readonly right: Condition }

type TextName = 'src.zone' | 'dst.zone' | 'src.id' | 'req.method' | 'req.route' | 'req.authority'
type NumberName = 'src.target' | 'dst.target' | 'net.port'

export function randomCondition(random: Random, depth = 2): Condition {
  if (depth > 0 && random.chance(0.5)) {
    if (random.chance(0.25)) return { kind: 'not', operand: randomCondition(random, depth - 1) }
    const [left, right] = [randomCondition(random, depth - 1), randomCondition(random, depth - 1)]
    return { kind: random.of(['&&', '||'] as const), left, right }
  }
  const of = random.of(['src', 'dst'] as const)
  const key = random.of(['env', 'tier'])
  switch (random.below(5)) {
    case 0:
      return { kind: 'has', of, key }
    case 1: {
      const name = random.of(['src.zone', 'dst.zone', 'src.id', 'req.method', 'req.route', 'req.authority'] as const)
      const values = random.list(1, 2, () =>
        random.of(['z0', 'z1', 'GET', 'POST', '/x/{id}', 'svc', 'spiffe://example.org/a']),
      )
      return { kind: 'text', name, values, isList: random.chance(0.5) }
    }
    case 2: {
      const name = random.of(['src.target', 'dst.target', 'net.port'] as const)
      const operator = random.of(['<', '<=', '>', '>=', '==', '!='] as const)
      return { kind: 'number', name, operator, value: name === 'net.port' ? random.of([1000, 1001]) : random.below(5) }
    }
    case 3:
      return { kind: 'cidr', range: random.of(['10.0.0.0/8', '10.1.0.0/16', '192.168.0.0/24']) }
    default:
      return { kind: 'label', of, key, value: random.of(['p', 's']), equal: random.chance(0.7) }
  }
}

const quoted = (text: string): string => JSON.stringify(text)

/** In the grammar of policy files. */
export function printSallyport(condition: Condition): string {
  switch (condition.kind) {
    case 'label':
      return `${condition.of}.labels[${quoted(condition.key)}] ${condition.equal ? '==' : '!='} ${quoted(condition.value)}`
    case 'has':
      return `${condition.of}.labels has ${quoted(condition.key)}`
    case 'text':
      return condition.isList
        ? `${condition.name} in [${condition.values.map(quoted).join(', ')}]`
        : `${condition.name} == ${quoted(condition.values[0] ?? '')}`
    case 'number':
      return `${condition.name} ${condition.operator} ${condition.value}`
    case 'cidr':
      return `net.ip in cidr(${quoted(condition.range)})`
    case 'not':
      return `!(${printSallyport(condition.operand)})`
    default:
      return `(${printSallyport(condition.left)}) ${condition.kind} (${printSallyport(condition.right)})`
  }
}

const sides = { src: 'principal', dst: 'resource' } as const

/** Where Cedar finds an attribute: of an entity, or in the context. */
function attributeOf(name: TextName | NumberName): { readonly holder: string; readonly key: string } {
  const [scope, key] = name.split('.') as ['src' | 'dst' | 'req' | 'net', string]
  return scope === 'src' || scope === 'dst' ? { holder: sides[scope], key } : { holder: 'context', key }
}

/** In Cedar, where a missing attribute is an error. */
export function printCedar(condition: Condition): string {
  switch (condition.kind) {
    case 'label':
      return `(${sides[condition.of]}.labels[${quoted(condition.key)}] ${condition.equal ? '==' : '!='} ${quoted(condition.value)})`
    case 'has':
      return `(${sides[condition.of]}.labels has ${quoted(condition.key)})`
    case 'text': {
      const { holder, key } = attributeOf(condition.name)
      return condition.isList
        ? `([${condition.values.map(quoted).join(', ')}].contains(${holder}.${key}))`
        : `(${holder}.${key} == ${quoted(condition.values[0] ?? '')})`
    }
    case 'number': {
      const { holder, key } = attributeOf(condition.name)
      return `(${holder}.${key} ${condition.operator} ${condition.value})`
    }
    case 'cidr':
      return `(context.ip.isInRange(ip(${quoted(condition.range)})))`
    case 'not':
      return `(!${printCedar(condition.operand)})`
    default:
      return `(${printCedar(condition.left)} ${condition.kind} ${printCedar(condition.right)})`
  }
}

/** Whether a condition can be evaluated at all, as a Cedar expression that never fails itself. */
function isEvaluable(condition: Condition): string {
  switch (condition.kind) {
    case 'label':
      return `(${sides[condition.of]}.labels has ${quoted(condition.key)})`
    case 'has':
      return 'true'
    case 'text':
    case 'number': {
      const { holder, key } = attributeOf(condition.name)
      return `(${holder} has ${key})`
    }
    case 'cidr':
      return '(context has ip)'
    case 'not':
      return isEvaluable(condition.operand)
    default: {
      // The right side counts only where the left one does not decide.
      const decides = condition.kind === '&&' ? `!${printCedar(condition.left)}` : printCedar(condition.left)
      return `(${isEvaluable(condition.left)} && (${decides} || ${isEvaluable(condition.right)}))`
    }
  }
}

/** True also where the condition fails: for denies and guards, which Cedar would skip. */
export const trueOrError = (condition: Condition): string => `(!${isEvaluable(condition)} || ${printCedar(condition)})`
