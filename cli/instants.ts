import { parseDuration } from '../src/config/field-types.ts'
import { SallyportError } from '../src/errors.ts'
import { parseInstant as readInstant } from '../src/policy/condition/parse-condition.ts'

/** An instant with its offset, as conditions and policy files have it: `2026-11-23T00:00:00Z`. In ms since 1970. */
export function instantOf(text: string): number {
  const instant = readInstant(text)
  if (instant !== undefined) return instant
  throw unreadable(text, 'is not an instant with an offset', 'Write it like 2027-01-31T00:00:00Z.')
}

/** A moment as somebody writes it: an instant, or how long ago, such as `15m`. In ms since 1970. */
export function parseInstant(text: string, nowMs: number): number {
  if (/^(?:\d+(?:ms|s|m|h|d))+$/.test(text)) return nowMs - parseDuration(text) * 1000
  const instant = readInstant(text)
  if (instant !== undefined) return instant
  throw unreadable(
    text,
    'is neither an instant with an offset nor a duration',
    'Write it like 2027-01-31T00:00:00Z, or like 15m for a quarter of an hour ago.',
  )
}

const unreadable = (text: string, why: string, hint: string): SallyportError =>
  new SallyportError('REQUEST_INVALID', `Cannot read when: "${text.slice(0, 40)}" ${why}`, { hint })
