import { parseCondition } from './parse-condition.ts'
import { attributes, type Collection, type ConditionType, type Expression } from './syntax.ts'
import { invalid } from './tokens.ts'

/**
 * Reads a condition and checks that it can be true: operands of the right types, a boolean in the end.
 *
 * @throws {@link SallyportError} `CONDITION_INVALID`
 */
export function checkCondition(text: string): Expression {
  const expression = parseCondition(text)
  expect(text, expression, 'boolean')
  return expression
}

function expect(text: string, expression: Expression, wanted: ConditionType): void {
  const type = typeOf(text, expression)
  if (type !== wanted) throw invalid(text, expression.at, `this is of the type ${type}, and ${wanted} is needed`)
}

function typeOf(text: string, expression: Expression): ConditionType {
  switch (expression.kind) {
    case 'literal':
      return expression.literal.kind
    case 'attribute':
      return attributes[expression.name]
    case 'label':
      return 'string'
    case 'has':
    case 'known':
      return 'boolean'
    case 'not':
      expect(text, expression.operand, 'boolean')
      return 'boolean'
    case 'and':
    case 'or':
      expect(text, expression.left, 'boolean')
      expect(text, expression.right, 'boolean')
      return 'boolean'
    case 'compare':
      checkComparison(text, expression)
      return 'boolean'
    case 'in':
      checkIn(text, expression.left, expression.right)
      return 'boolean'
  }
}

function checkComparison(text: string, { operator, left, right, at }: Expression & { kind: 'compare' }): void {
  const [a, b] = [typeOf(text, left), typeOf(text, right)]
  if (a === 'labels' || b === 'labels') throw invalid(text, at, 'compare one label, such as src.labels["env"]')
  if (a !== b) throw invalid(text, at, `${a} and ${b} are never equal: nothing is converted`)
  const isOrdering = operator !== '==' && operator !== '!='
  if (isOrdering && a !== 'integer' && a !== 'instant') {
    throw invalid(text, at, `${operator} is for integers and instants, not for the type ${a}`)
  }
}

function checkIn(text: string, left: Expression, right: Collection): void {
  const type = typeOf(text, left)
  if (right.kind === 'cidr') return expect(text, left, 'string')
  const odd = right.items.find(({ kind }) => kind !== type)
  if (odd !== undefined) throw invalid(text, left.at, `${type} is never in a list with the type ${odd.kind}`)
}
