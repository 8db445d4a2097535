import { parseIpRange } from './ip-range.ts'
import {
  attributes,
  CONDITION_MAX_DEPTH,
  CONDITION_MAX_NODES,
  type AttributeName,
  type Collection,
  type Comparison,
  type Expression,
  type Literal,
} from './syntax.ts'
import { invalid, tokensOf, type Token } from './tokens.ts'

/**
 * Reads a condition.
 *
 * @throws {@link SallyportError} `CONDITION_INVALID`
 * @see zones.md ZO-40; `conditionGrammar`
 */
export function parseCondition(text: string): Expression {
  const reader = new Reader(text)
  const expression = reader.or(0)
  reader.end()
  return expression
}

const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>='])

class Reader {
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0
  #nodes = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokensOf(text)
  }

  or(depth: number): Expression {
    let left = this.#and(depth)
    while (this.#take('||')) left = this.#node({ kind: 'or', left, right: this.#and(depth), at: left.at })
    return left
  }

  #and(depth: number): Expression {
    let left = this.#not(depth)
    while (this.#take('&&')) left = this.#node({ kind: 'and', left, right: this.#not(depth), at: left.at })
    return left
  }

  #not(depth: number): Expression {
    const { at } = this.#peek
    if (depth > CONDITION_MAX_DEPTH) throw this.#wrong(`nested deeper than ${CONDITION_MAX_DEPTH}`)
    return this.#take('!') ? this.#node({ kind: 'not', operand: this.#not(depth + 1), at }) : this.#relation(depth)
  }

  #relation(depth: number): Expression {
    const left = this.#operand(depth)
    const { kind, text, at } = this.#peek
    if (kind === 'sign' && comparisons.has(text)) {
      this.#next++
      return this.#node({ kind: 'compare', operator: text as Comparison, left, right: this.#operand(depth), at })
    }
    if (this.#takeName('in')) return this.#node({ kind: 'in', left, right: this.#collection(), at })
    if (!this.#takeName('has')) return left
    if (left.kind !== 'attribute' || (left.name !== 'src.labels' && left.name !== 'dst.labels')) {
      throw this.#wrong('`has` asks src.labels or dst.labels for a label', at)
    }
    return this.#node({ kind: 'has', of: left.name === 'src.labels' ? 'src' : 'dst', key: this.#string(), at })
  }

  #operand(depth: number): Expression {
    const { at } = this.#peek
    if (this.#take('(')) {
      const inner = this.or(depth + 1)
      this.#expect(')')
      return inner
    }
    if (this.#takeName('has')) {
      this.#expect('(')
      const name = this.#attribute()
      this.#expect(')')
      return this.#node({ kind: 'known', name, at })
    }
    const literal = this.#literal()
    if (literal !== undefined) return this.#node({ kind: 'literal', literal, at })
    const name = this.#attribute()
    if (!name.endsWith('.labels') || !this.#take('[')) return this.#node({ kind: 'attribute', name, at })
    const key = this.#string()
    this.#expect(']')
    return this.#node({ kind: 'label', of: name === 'src.labels' ? 'src' : 'dst', key, at })
  }

  #attribute(): AttributeName {
    const { at } = this.#peek
    const object = this.#name()
    this.#expect('.')
    const name = `${object}.${this.#name()}`
    if (!Object.hasOwn(attributes, name)) {
      throw this.#wrong(`there is no ${name}; there are ${Object.keys(attributes).join(', ')}`, at)
    }
    return name as AttributeName
  }

  #literal(): Literal | undefined {
    const { kind, text, at } = this.#peek
    if (kind === 'string') return { kind, value: this.#string() }
    if (kind === 'integer' || text === '-') return this.#integer()
    if (this.#takeName('true')) return { kind: 'boolean', value: true }
    if (this.#takeName('false')) return { kind: 'boolean', value: false }
    if (!this.#takeName('instant')) return undefined
    this.#expect('(')
    const value = parseInstant(this.#string())
    if (value === undefined) throw this.#wrong('write an instant as "2026-11-20T12:00:00Z"', at)
    this.#expect(')')
    return { kind: 'instant', value }
  }

  #integer(): Literal {
    const sign = this.#take('-') ? -1 : 1
    const { kind, text } = this.#peek
    if (kind !== 'integer' || !Number.isSafeInteger(Number(text))) throw this.#wrong('this is not an integer')
    this.#next++
    return { kind: 'integer', value: sign * Number(text) }
  }

  #collection(): Collection {
    const { at } = this.#peek
    if (this.#takeName('cidr')) {
      this.#expect('(')
      const range = this.#string()
      if (parseIpRange(range) === undefined) throw this.#wrong('write a range as "10.0.0.0/8" or "fd00::/8"', at)
      this.#expect(')')
      return { kind: 'cidr', range }
    }
    this.#expect('[')
    const items: Literal[] = []
    while (!this.#take(']')) {
      if (items.length > 0) this.#expect(',')
      const item = this.#literal()
      if (item === undefined) throw this.#wrong('a list holds texts, numbers, true, false and instants')
      if (++this.#nodes > CONDITION_MAX_NODES) throw this.#wrong(`more than ${CONDITION_MAX_NODES} parts`)
      items.push(item)
    }
    return { kind: 'list', items }
  }

  end(): void {
    if (this.#peek.kind !== 'end') throw this.#wrong(`${JSON.stringify(this.#peek.text)} does not belong here`)
  }

  #node(expression: Expression): Expression {
    if (++this.#nodes > CONDITION_MAX_NODES) throw this.#wrong(`more than ${CONDITION_MAX_NODES} parts`)
    return expression
  }

  get #peek(): Token {
    return this.#tokens[this.#next] as Token
  }

  #take(sign: string): boolean {
    const taken = this.#peek.kind === 'sign' && this.#peek.text === sign
    if (taken) this.#next++
    return taken
  }

  #takeName(name: string): boolean {
    const taken = this.#peek.kind === 'name' && this.#peek.text === name
    if (taken) this.#next++
    return taken
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) throw this.#wrong(`expected ${sign} before ${JSON.stringify(this.#peek.text)}`)
  }

  #name(): string {
    return this.#word('name', 'expected src, dst, req or net and an attribute')
  }

  #string(): string {
    return this.#word('string', 'expected a text in double quotes')
  }

  #word(kind: Token['kind'], why: string): string {
    if (this.#peek.kind !== kind) throw this.#wrong(`${why}, not ${JSON.stringify(this.#peek.text)}`)
    return (this.#tokens[this.#next++] as Token).text
  }

  #wrong(why: string, at = this.#peek.at): Error {
    return invalid(this.#text, at, why)
  }
}

/** Milliseconds since 1970 of a time with an offset (ZO-22). */
export function parseInstant(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined
  const instant = Date.parse(text)
  return Number.isNaN(instant) ? undefined : instant
}
