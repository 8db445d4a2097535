import { parseAst } from 'rolldown/parseAst'

/** One small change of a source file. */
export interface Mutant {
  readonly id: number
  readonly file: string
  readonly line: number
  readonly change: string
}

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [property: string]: unknown
}

/** What an operator becomes. */
export const comparisons: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '+': ['-'],
  '-': ['+'],
}

/**
 * A source with all of its mutants in it, of which the one with the id in `globalThis.mutant` acts: so one process tries them all.
 * Operators, conditions and quantifiers are changed, negations and statements dropped.
 */
export function instrument(
  source: string,
  file: string,
  firstId: number,
): { readonly code: string; readonly mutants: readonly Mutant[] } {
  const mutants: Mutant[] = []
  const idFor = (node: Node, changes: readonly string[]): number => {
    const id = firstId + mutants.length
    const line = source.slice(0, node.start).split('\n').length
    for (const change of changes) mutants.push({ id: firstId + mutants.length, file, line, change })
    return id
  }
  const render = (node: Node): string => {
    const own = renderSpecial(node)
    return own ?? renderParts(node, childrenOf(node))
  }
  const renderParts = (
    node: Node,
    children: readonly Node[],
    around = (child: Node): string => render(child),
  ): string => {
    let text = ''
    let at = node.start
    for (const child of children) {
      text += source.slice(at, child.start) + around(child)
      at = child.end
    }
    return text + source.slice(at, node.end)
  }
  const shown = (node: Node): string => source.slice(node.start, node.end).replaceAll(/\s+/g, ' ').slice(0, 70)

  function renderSpecial(node: Node): string | undefined {
    switch (node.type) {
      case 'BinaryExpression':
      case 'LogicalExpression':
        return renderOperator(node)
      case 'UnaryExpression': {
        if (node['operator'] !== '!') return undefined
        const id = idFor(node, [`drop ! of ${shown(node)}`])
        return `$.not(${id}, ${render(node['argument'] as Node)})`
      }
      case 'IfStatement':
      case 'ConditionalExpression': {
        const test = node['test'] as Node
        const id = idFor(node, [`${shown(test)} → true`, `${shown(test)} → false`])
        return renderParts(node, childrenOf(node), (child) =>
          child === test ? `$.test(${id}, () => ${parenthesised(render(child))})` : render(child),
        )
      }
      case 'ExpressionStatement': {
        if (node['directive'] !== undefined || hasYield(node)) return undefined
        const id = idFor(node, [`drop ${shown(node)}`])
        return `if ($.keep(${id})) { ${renderParts(node, childrenOf(node))} }`
      }
      case 'MemberExpression': {
        const property = node['property'] as Node
        const other = { some: 'every', every: 'some' }[String(property['name'])]
        if (other === undefined || node['computed'] === true || node['optional'] === true) return undefined
        const id = idFor(node, [`${String(property['name'])} → ${other}`])
        return `${render(node['object'] as Node)}[$.name(${id}, '${String(property['name'])}', '${other}')]`
      }
      case 'ForStatement':
      case 'ForOfStatement':
      case 'WhileStatement': {
        // A loop without end ends.
        const body = node['body'] as Node
        return renderParts(node, childrenOf(node), (child) =>
          child === body ? `{ $.tick(); ${render(child)} }` : render(child),
        )
      }
      default:
        return node.type.startsWith('TS') && !node.type.endsWith('Expression')
          ? source.slice(node.start, node.end)
          : undefined
    }
  }

  function renderOperator(node: Node): string | undefined {
    const operator = String(node['operator'])
    const [left, right] = [node['left'] as Node, node['right'] as Node]
    const gap = source.slice(left.end, right.start)
    if (hasYield(node) || gap.includes('//') || gap.includes('/*')) return undefined
    const [before, after] = gap.split(operator) as [string, string]
    const outer = [source.slice(node.start, left.start), source.slice(right.end, node.end)] as const
    if (operator === '&&' || operator === '||') {
      const other = operator === '&&' ? '||' : '&&'
      const id = idFor(node, [`${operator} → ${other}: ${shown(node)}`, `only ${shown(left)}`, `only ${shown(right)}`])
      return `$.logic(${id}, '${operator}', ${outer[0]}${render(left)}${before}, () => (${after}${render(right)}${outer[1]}))`
    }
    const others = comparisons[operator]
    if (others === undefined) return undefined
    const id = idFor(
      node,
      others.map((other) => `${operator} → ${other}: ${shown(node)}`),
    )
    return `$.compare(${id}, '${operator}', ${outer[0]}${render(left)}${before}, ${after}${render(right)}${outer[1]})`
  }

  const program = parseAst(source, { lang: 'ts' }) as unknown as Node
  const code = renderParts({ ...program, start: 0, end: source.length }, childrenOf(program))
  return { code: `import * as $ from 'mutation-runtime'\n${code}`, mutants }
}

const parenthesised = (text: string): string => `(${text})`

function childrenOf(node: Node): Node[] {
  const found = Object.values(node).flatMap((value) => (Array.isArray(value) ? (value as unknown[]) : [value]))
  const nodes = found.filter(
    (value): value is Node => typeof value === 'object' && value !== null && 'type' in value && 'start' in value,
  )
  // A shorthand property is one text and two nodes.
  const unique = nodes.filter((one, index) => nodes.findIndex(({ start }) => start === one.start) === index)
  return unique.toSorted((a, b) => a.start - b.start)
}

const hasYield = (node: Node): boolean =>
  node.type === 'YieldExpression' || node.type === 'AwaitExpression' || childrenOf(node).some(hasYield)
