import { SallyportError } from '../errors.ts'

/** How deep objects and lists may be nested in a document from outside. */
export const JSON_MAX_DEPTH = 32

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [name: string]: JsonValue | undefined
}

/**
 * Reads a JSON object whose members are all named once.
 *
 * `JSON.parse` keeps the last of two members of one name, other readers the first: a token or bundle that two
 * readers understand differently is refused. Names are compared after unescaping.
 *
 * @param what names the document in messages
 * @throws {@link SallyportError} `JSON_INVALID`
 */
export function parseJsonObject(source: string | Uint8Array, what: string): JsonObject {
  const text = typeof source === 'string' ? source : utf8(source, what)
  const value = parse(text, what)
  checkNames(text, what)
  if (isJsonObject(value)) return value
  throw invalid(what, 'it is not an object')
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The digits of a whole number at the top level of a document that {@link parseJsonObject} has read, because numbers above
 * 2^53 do not survive it; undefined when there is none.
 */
export function wholeNumberOf(text: string, name: string): bigint | undefined {
  const found = new Map<unknown, string | undefined>()
  let root: unknown
  JSON.parse(text, function (this: unknown, key: string, value: unknown, context?: { readonly source?: string }) {
    if (key === name) found.set(this, context?.source)
    // The last call is for the root, and objects inside it may have a member of that name as well.
    root = value
    return value
  })
  const digits = found.get(root)
  return digits !== undefined && /^(?:0|[1-9][0-9]{0,38})$/.test(digits) ? BigInt(digits) : undefined
}

function utf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw invalid(what, 'it is not UTF-8', cause)
  }
}

function parse(text: string, what: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // The parser's own message quotes the text, which may be a token.
    throw invalid(what, 'it is malformed')
  }
}

/** Walks the tokens of a text that is known to be JSON. */
function checkNames(text: string, what: string): void {
  const open: (Set<string> | undefined)[] = []
  let nameIsNext = false
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],]/g)) {
    if (token === '{' || token === '[') {
      if (open.push(token === '{' ? new Set() : undefined) > JSON_MAX_DEPTH) {
        throw invalid(what, `it is nested more than ${JSON_MAX_DEPTH} deep`)
      }
      nameIsNext = token === '{'
    } else if (token === '}' || token === ']') {
      open.pop()
      nameIsNext = false
    } else if (token === ',') {
      nameIsNext = open.at(-1) !== undefined
    } else if (nameIsNext) {
      const names = open.at(-1)
      const name = JSON.parse(token) as string
      if (names?.has(name)) throw invalid(what, `it names the member ${JSON.stringify(name.slice(0, 60))} twice`)
      names?.add(name)
      nameIsNext = false
    }
  }
}

function invalid(what: string, why: string, cause?: unknown): SallyportError {
  return new SallyportError('JSON_INVALID', `Cannot read ${what} as JSON: ${why}`, cause === undefined ? {} : { cause })
}
