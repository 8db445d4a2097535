import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Pair } from 'yaml'
import type { Problem } from './schema-problems.ts'

/** Where something stands in a text; both count from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface PlacedProblem extends Problem {
  readonly place: Place | undefined
}

/** What a YAML text says, and where each part of it stands. */
export interface YamlSource {
  /** Undefined when the text has problems that leave no value. */
  readonly value: unknown
  readonly problems: readonly PlacedProblem[]
  /** Of the value at a path; of what is not there, of the nearest thing around it. */
  placeOf(path: readonly PropertyKey[]): Place | undefined
  /** Of the key at the end of a path. */
  placeOfKey(path: readonly PropertyKey[]): Place | undefined
}

/** More references to one anchor than this are an attack, not a policy. */
const ALIASES_MAX = 100

const NESTED = 'nested too deeply'

/**
 * Reads YAML 1.2 core strictly: every name once, `1` and `"1"` being the same name, no tags of other schemas, no older version.
 *
 * Repeated and odd names leave a value all the same, so that its other problems can be reported with them.
 */
export function readYaml(text: string): YamlSource {
  const lines = new LineCounter()
  const placeAt = (offset: number | undefined): Place | undefined => {
    if (offset === undefined) return undefined
    const { line, col } = lines.linePos(offset)
    return line === 0 ? undefined : { line, column: col }
  }
  const syntax = ({ message, offset }: Fault): PlacedProblem => ({
    kind: 'syntax',
    path: [],
    message,
    place: placeAt(offset),
  })
  const document = parse(text, lines)
  if ('message' in document) return unreadable([syntax(document)])
  const tooDeep = document.errors.find(({ message }) => message.startsWith('Maximum call stack'))
  if (tooDeep !== undefined) return unreadable([syntax({ message: NESTED, offset: tooDeep.pos[0] })])
  const faults: Fault[] = [...document.errors, ...document.warnings].map(({ message, pos }) => ({
    message,
    offset: pos[0],
  }))
  if (document.directives.yaml.version !== '1.2') faults.push({ message: 'must be YAML 1.2', offset: 0 })
  if (document.errors.length > 0) return unreadable(faults.map(syntax))
  const read = valueOf(document)
  if ('message' in read) return unreadable([...faults, read].map(syntax))
  return {
    value: read.value,
    problems: [...faults, ...keyFaults(document)].map(syntax),
    placeOf: (path) => placeAt(offsetsOf(document, path).value),
    placeOfKey: (path) => placeAt(offsetsOf(document, path).key),
  }
}

interface Fault {
  readonly message: string
  readonly offset: number | undefined
}

const unreadable = (problems: readonly PlacedProblem[]): YamlSource => ({
  value: undefined,
  problems,
  placeOf: () => undefined,
  placeOfKey: () => undefined,
})

function parse(text: string, lineCounter: LineCounter): Document.Parsed | Fault {
  try {
    return parseDocument(text, {
      version: '1.2',
      schema: 'core',
      resolveKnownTags: false,
      // Looked for below, in linear time.
      uniqueKeys: false,
      lineCounter,
      prettyErrors: false,
      logLevel: 'error',
    })
  } catch (error) {
    if (error instanceof RangeError) return { message: NESTED, offset: 0 }
    throw error
  }
}

/** Keys that are repeated, and those that are not what they look like: lists, `1.0` (which is `1`), nothing, JavaScript's own. */
function keyFaults(document: Document.Parsed): Fault[] {
  const found: Fault[] = []
  visit(document, {
    Map(_index, { items }) {
      const seen = new Set<string>()
      for (const { key } of items) {
        const message =
          keyFault(key) ?? (seen.has(nameOf(key)) ? `the key "${nameOf(key)}" is written twice` : undefined)
        if (message !== undefined) found.push({ message, offset: rangeOf(key) })
        seen.add(nameOf(key))
      }
    },
  })
  return found
}

function keyFault(key: unknown): string | undefined {
  if (!isScalar(key)) return 'a key must be text'
  if (key.value === '__proto__') return 'unknown key "__proto__"'
  if (typeof key.value === 'string' || key.source === String(key.value)) return undefined
  return `the key ${key.source ?? ''} must be written in quotes`
}

const nameOf = (key: unknown): string => (isScalar(key) ? String(key.value) : '')

/** Aliases without an anchor, or more of them than is sane, are found only here. */
function valueOf(document: Document.Parsed): { readonly value: unknown } | Fault {
  try {
    return { value: document.toJS({ maxAliasCount: ALIASES_MAX }) as unknown }
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error), offset: 0 }
  }
}

interface Offsets {
  readonly key: number | undefined
  readonly value: number | undefined
}

function offsetsOf(document: Document.Parsed, path: readonly PropertyKey[]): Offsets {
  let node: unknown = document.contents
  let found: Offsets = { key: rangeOf(node), value: rangeOf(node) }
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = (node.items as Pair[]).find(({ key }) => nameOf(key) === String(step))
      if (pair === undefined) return found
      found = { key: rangeOf(pair.key), value: rangeOf(pair.value) ?? rangeOf(pair.key) }
      node = pair.value
    } else if (isSeq(node)) {
      node = node.items[Number(step)]
      if (node === undefined) return found
      found = { key: rangeOf(node), value: rangeOf(node) }
    } else return found
  }
  return found
}

const rangeOf = (node: unknown): number | undefined =>
  (node as { range?: readonly number[] | null } | null | undefined)?.range?.[0]
