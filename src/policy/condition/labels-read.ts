import { parseCondition } from './parse-condition.ts'
import type { Expression } from './syntax.ts'

/** The label keys that a condition reads of its source and of its destination. */
export interface LabelsRead {
  readonly src: ReadonlySet<string>
  readonly dst: ReadonlySet<string>
}

export function labelsRead(text: string): LabelsRead {
  const read = { src: new Set<string>(), dst: new Set<string>() }
  visit(parseCondition(text), (expression) => {
    if (expression.kind === 'label' || expression.kind === 'has') read[expression.of].add(expression.key)
  })
  return read
}

function visit(expression: Expression, see: (expression: Expression) => void): void {
  see(expression)
  switch (expression.kind) {
    case 'not':
      return visit(expression.operand, see)
    case 'and':
    case 'or':
    case 'compare':
      visit(expression.left, see)
      return visit(expression.right, see)
    case 'in':
      return visit(expression.left, see)
    case 'literal':
    case 'attribute':
    case 'label':
    case 'has':
    case 'known':
  }
}
