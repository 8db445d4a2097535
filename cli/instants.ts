import { parseDuration } from '../src/config/field-types.ts'
import { SallyportError } from '../src/errors.ts'

/** A moment as somebody writes it: `2026-11-23T00:00:00Z`, or how long ago, such as `15m`. In ms since 1970. */
export function parseInstant(text: string, nowMs: number): number {
  if (/^(?:\d+(?:ms|s|m|h|d))+$/.test(text)) return nowMs - parseDuration(text) * 1000
  const instant = /T.*(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(instant)) return instant
  throw new SallyportError('REQUEST_INVALID', `Cannot read the instant "${text.slice(0, 40)}"`, {
    hint: 'Write it like 2027-01-31T00:00:00Z, or like 15m for a quarter of an hour ago.',
  })
}
