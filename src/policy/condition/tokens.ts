import { SallyportError } from '../../errors.ts'
import { CONDITION_MAX_LENGTH } from './syntax.ts'

export interface Token {
  readonly kind: 'name' | 'string' | 'integer' | 'sign' | 'end'
  /** A string without its quotes and escapes. */
  readonly text: string
  readonly at: number
}

const signs = ['==', '!=', '<=', '>=', '&&', '||', '<', '>', '!', '(', ')', '[', ']', ',', '.', '-'] as const

/** The words and signs of a condition; the last token is of the kind `end`. */
export function tokensOf(text: string): Token[] {
  if (text.length > CONDITION_MAX_LENGTH) throw invalid(text, 0, `longer than ${CONDITION_MAX_LENGTH} characters`)
  const tokens: Token[] = []
  let at = 0
  for (;;) {
    while (' \t\r\n'.includes(text[at] ?? '\0')) at++
    if (at >= text.length) return [...tokens, { kind: 'end', text: 'the end', at }]
    const token = stringAt(text, at) ?? wordAt(text, at) ?? signAt(text, at)
    if (token === undefined) throw invalid(text, at, `${JSON.stringify(text[at])} is not part of the language`)
    tokens.push(token.token)
    at = token.next
  }
}

type Found = { readonly token: Token; readonly next: number } | undefined

function stringAt(text: string, at: number): Found {
  if (text[at] !== '"') return undefined
  let value = ''
  for (let i = at + 1; i < text.length; i++) {
    const character = text[i] as string
    if (character === '"') return { token: { kind: 'string', text: value, at }, next: i + 1 }
    if (character < ' ') throw invalid(text, i, 'a control character in a string')
    if (character !== '\\') value += character
    else {
      const escaped = text[++i]
      if (escaped !== '"' && escaped !== '\\') throw invalid(text, i - 1, 'only \\" and \\\\ are escapes')
      value += escaped
    }
  }
  throw invalid(text, at, 'the string has no end')
}

function wordAt(text: string, at: number): Found {
  const pattern = /[A-Za-z_][A-Za-z0-9_]*|[0-9]+/y
  pattern.lastIndex = at
  const word = pattern.exec(text)?.[0]
  if (word === undefined) return undefined
  const kind = /^[0-9]/.test(word) ? 'integer' : 'name'
  return { token: { kind, text: word, at }, next: at + word.length }
}

function signAt(text: string, at: number): Found {
  const sign = signs.find((sign) => text.startsWith(sign, at))
  return sign === undefined ? undefined : { token: { kind: 'sign', text: sign, at }, next: at + sign.length }
}

/** What is wrong with a condition, and where in its text. */
export function invalid(text: string, at: number, why: string): SallyportError {
  return new SallyportError(
    'CONDITION_INVALID',
    `Cannot use condition ${JSON.stringify(text.slice(0, 200))}: at character ${at + 1}: ${why}`,
  )
}
