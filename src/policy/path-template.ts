import { SallyportError } from '../errors.ts'
import { canonicalPath } from './canonical-path.ts'

/** One segment of a template: a literal, exactly one segment, or one or more. */
export type TemplateSegment = string | typeof ONE | typeof MANY
export const ONE = Symbol('one segment')
export const MANY = Symbol('one or more segments')

/** A template of request paths such as `/v1/orders/{id}` or `/admin/**` (ZO-52). */
export interface PathTemplate {
  readonly text: string
  readonly segments: readonly TemplateSegment[]
  readonly hasTrailingSlash: boolean
}

/**
 * Reads a template. Its literals are held to the rules of request paths, so that a template can be matched at all.
 *
 * @throws {@link SallyportError} `PATH_TEMPLATE_INVALID`
 */
export function parsePathTemplate(text: string): PathTemplate {
  if (text.includes('?')) throw invalid(text, 'a query never takes part in matching')
  // Wildcards are read before the literals: to these, braces and stars are ordinary characters.
  const path = canonicalPath(text)
  if ('refused' in path) throw invalid(text, path.refused)
  const segments = path.segments.map((segment, index): TemplateSegment => {
    if (segment === '**') {
      if (index !== path.segments.length - 1) throw invalid(text, '** may only be the last segment')
      return MANY
    }
    if (/^\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(segment)) return ONE
    if (/[{}*]/.test(segment)) throw invalid(text, `segment ${index + 1} mixes a wildcard with text`)
    return segment
  })
  return { text, segments, hasTrailingSlash: path.hasTrailingSlash }
}

/** Can one path match both? */
export function templatesOverlap(a: PathTemplate, b: PathTemplate): boolean {
  if (a.hasTrailingSlash !== b.hasTrailingSlash) return false
  for (let index = 0; ; index++) {
    const [x, y] = [a.segments[index], b.segments[index]]
    if (x === undefined || y === undefined) return x === y
    if (x === MANY || y === MANY) return true
    if (x !== y && x !== ONE && y !== ONE) return false
  }
}

function invalid(text: string, why: string): SallyportError {
  return new SallyportError(
    'PATH_TEMPLATE_INVALID',
    `Cannot parse path template ${JSON.stringify(text.slice(0, 120))}: ${why}`,
  )
}
