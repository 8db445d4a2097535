import { isExact, parsePattern, printPattern, type Pattern } from '../pattern.ts'
import type { Tables } from '../tables.ts'

/** Stands where a pattern has a wildcard; nobody is called so. */
const ANYBODY = 'any--body'

/** An id for people: whoever stands for a wildcard is shown as one. */
export const shownId = (id: string): string => id.replaceAll(ANYBODY, '*')

/**
 * Identities that stand for everybody whom a policy treats alike: services, all that are named, and for each wildcard somebody
 * whom only it names, or only it and one other. An analysis that asks these asks, as far as patterns go, all.
 */
export function representatives(tables: Tables, registered: Iterable<string> = []): readonly string[] {
  const { set } = tables
  const prefix = `spiffe://${set.trustDomain}`
  const members = set.zones.flatMap(({ members }) => members.flatMap(({ spiffe }) => spiffe ?? []))
  const subjects = set.rules.flatMap(({ from }) =>
    from.flatMap((subject) => ('pattern' in subject ? subject.pattern : [])),
  )
  const ends = set.conduits.flatMap(({ from }) => from.identities ?? [])
  const guarded = set.guards.flatMap(({ from }) => from.identities ?? [])
  const accepted = set.federation.flatMap(({ trustDomain, accept }) =>
    accept.map((text) => `spiffe://${trustDomain}${text}`),
  )
  const patterns = distinct([...members, ...accepted, ...subjects, ...ends, ...guarded], set.trustDomain)
  const wild = patterns.filter((pattern) => !isExact(pattern))
  const meetings = wild.flatMap((a, index) => wild.slice(index + 1).flatMap((b) => meet(a, b) ?? []))
  const ids = [...patterns, ...meetings].map((pattern) => someoneOf(pattern, prefix))
  return [...new Set([...[...tables.services.values()].map(({ party }) => party.id), ...registered, ...ids])]
}

function distinct(texts: readonly string[], trustDomain: string): Pattern[] {
  const found = new Map<string, Pattern>()
  for (const text of texts) {
    const parsed = parsePattern(text)
    const pattern = parsed.trustDomain === trustDomain ? { ...parsed, trustDomain: undefined } : parsed
    found.set(printPattern(pattern), pattern)
  }
  return [...found.values()]
}

function someoneOf({ trustDomain, segments }: Pattern, ownPrefix: string): string {
  const path = segments.map((segment) => (segment.startsWith('*') ? ANYBODY : segment)).join('/')
  return `${trustDomain === undefined ? ownPrefix : `spiffe://${trustDomain}`}/${path}`
}

/** The pattern of what both match, if there is any. */
export function meet(a: Pattern, b: Pattern): Pattern | undefined {
  if (a.trustDomain !== b.trustDomain) return undefined
  const segments: string[] = []
  for (let index = 0; ; index++) {
    const [x, y] = [a.segments[index], b.segments[index]]
    if (x === undefined || y === undefined) return x === y ? { trustDomain: a.trustDomain, segments } : undefined
    if (x === '**' || y === '**') {
      const rest = (x === '**' ? b : a).segments.slice(index)
      return { trustDomain: a.trustDomain, segments: [...segments, ...rest] }
    }
    if (x !== y && x !== '*' && y !== '*') return undefined
    segments.push(x === '*' ? y : x)
  }
}
