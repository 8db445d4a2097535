import { SallyportError } from '../errors.ts'

/** The longest pattern, in characters, and the most segments of one. */
export const PATTERN_MAX_LENGTH = 2048
export const PATTERN_MAX_SEGMENTS = 64

/**
 * A pattern of SPIFFE IDs on whole path segments: literals, `*` for one segment, `**` for one or more at the end.
 *
 * @see zones.md §3.4, ZO-10
 */
export interface Pattern {
  /** Undefined: the own one. */
  readonly trustDomain: string | undefined
  readonly segments: readonly string[]
}

/**
 * Reads `/ns/web/**` or `spiffe://partner.example/billing/settle`.
 *
 * @throws {@link SallyportError} `PATTERN_INVALID`
 */
export function parsePattern(text: string): Pattern {
  const why = text.length > PATTERN_MAX_LENGTH ? `longer than ${PATTERN_MAX_LENGTH} characters` : undefined
  if (why !== undefined) throw invalid(text, why)
  const parts = /^(?:spiffe:\/\/([a-z0-9._-]{1,255}))?\/(.+)$/s.exec(text)
  if (parts === null) throw invalid(text, 'it must start with / or with spiffe://<trust domain>/')
  const segments = (parts[2] as string).split('/')
  if (segments.length > PATTERN_MAX_SEGMENTS) throw invalid(text, `more than ${PATTERN_MAX_SEGMENTS} segments`)
  for (const [index, segment] of segments.entries()) {
    const problem = problemOf(segment, index === segments.length - 1)
    if (problem !== undefined) throw invalid(text, `segment ${index + 1} ${problem}`)
  }
  return { trustDomain: parts[1], segments }
}

function problemOf(segment: string, isLast: boolean): string | undefined {
  if (segment === '') return 'is empty'
  if (segment === '**') return isLast ? undefined : 'is **, which may only be the last'
  if (segment === '*') return undefined
  if (segment.includes('*')) return 'mixes a wildcard with text: wildcards stand for whole segments'
  if (segment === '.' || segment === '..') return `is "${segment}"`
  return /^[a-zA-Z0-9._-]+$/.test(segment) ? undefined : 'has a character other than a-z A-Z 0-9 . _ -'
}

export const printPattern = ({ trustDomain, segments }: Pattern): string =>
  `${trustDomain === undefined ? '' : `spiffe://${trustDomain}`}/${segments.join('/')}`

/** The pattern names one identity only. */
export const isExact = ({ segments }: Pattern): boolean => !segments.some((segment) => segment.startsWith('*'))

/** Does it match a path that was split at its slashes? The trust domain is the caller's affair. */
export function matchesSegments({ segments }: Pattern, path: readonly string[]): boolean {
  const isDeep = segments.at(-1) === '**'
  if (isDeep ? path.length < segments.length : path.length !== segments.length) return false
  const compared = isDeep ? segments.length - 1 : segments.length
  for (let i = 0; i < compared; i++) if (segments[i] !== '*' && segments[i] !== path[i]) return false
  return true
}

/** Segments of a path such as `/ns/web`. */
export const segmentsOf = (path: string): readonly string[] => path.slice(1).split('/')

/** Can one path match both? */
export function patternsOverlap(a: Pattern, b: Pattern): boolean {
  if (a.trustDomain !== b.trustDomain) return false
  for (let i = 0; ; i++) {
    const [x, y] = [a.segments[i], b.segments[i]]
    if (x === undefined || y === undefined) return x === y
    if (x === '**' || y === '**') return true
    if (x !== y && x !== '*' && y !== '*') return false
  }
}

function invalid(text: string, why: string): SallyportError {
  return new SallyportError('PATTERN_INVALID', `Cannot parse pattern ${JSON.stringify(text.slice(0, 120))}: ${why}`)
}
