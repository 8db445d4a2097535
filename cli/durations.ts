import { parseDuration } from '../src/config/field-types.ts'
import { SallyportError } from '../src/errors.ts'

/** A life of something, in whole seconds: on the wire 0 would mean the default. */
export function parseWholeSeconds(text: string): number {
  const seconds = Math.floor(parseDuration(text))
  if (seconds >= 1) return seconds
  throw new SallyportError('DURATION_INVALID', `Cannot use the duration "${text.slice(0, 40)}": shorter than a second`)
}
