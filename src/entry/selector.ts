import { SallyportError } from '../errors.ts'

/** The longest type and value, in bytes, that a selector may have. */
export const SELECTOR_TYPE_MAX_BYTES = 255
export const SELECTOR_VALUE_MAX_BYTES = 4096

/** A fact about a workload or a node, such as `unix:uid:1000`: type `unix`, value `uid:1000`. */
export interface Selector {
  readonly type: string
  readonly value: string
}

/**
 * Checks the parts of a selector.
 *
 * @throws {@link SallyportError} `SELECTOR_INVALID`
 */
export function selectorOf(type: string, value: string): Selector {
  const why =
    type === ''
      ? 'the type is empty'
      : type.includes(':')
        ? 'the type has a colon'
        : value === ''
          ? 'the value is empty'
          : Buffer.byteLength(type) > SELECTOR_TYPE_MAX_BYTES
            ? `the type is longer than ${SELECTOR_TYPE_MAX_BYTES} bytes`
            : Buffer.byteLength(value) > SELECTOR_VALUE_MAX_BYTES
              ? `the value is longer than ${SELECTOR_VALUE_MAX_BYTES} bytes`
              : undefined
  if (why === undefined) return { type, value }
  throw new SallyportError('SELECTOR_INVALID', `Cannot use selector ${shown(`${type}:${value}`)}: ${why}`)
}

/**
 * Reads `type:value`.
 *
 * @throws {@link SallyportError} `SELECTOR_INVALID`
 */
export function parseSelector(text: string): Selector {
  const colon = text.indexOf(':')
  if (colon === -1) {
    throw new SallyportError('SELECTOR_INVALID', `Cannot parse selector ${shown(text)}: it has no colon`)
  }
  return selectorOf(text.slice(0, colon), text.slice(colon + 1))
}

export const printSelector = ({ type, value }: Selector): string => `${type}:${value}`

/** Are all of `wanted` among `held` (printed selectors)? An entry without selectors matches nothing. */
export function selectorsMatch(wanted: readonly Selector[], held: ReadonlySet<string>): boolean {
  return wanted.length > 0 && wanted.every((selector) => held.has(printSelector(selector)))
}

/** Escaped, so that what somebody sent cannot write lines of its own into a log. */
const shown = (text: string): string => JSON.stringify(text.slice(0, 120))
