import type { HeaderFields } from './header-fields.ts'
import { signatureInvalid } from './signature-profile.ts'
import { type InnerList, type Item, printInnerList, printItem } from './structured-field.ts'
import { pathOf } from './target.ts'

/** A request as a signature sees it. */
export interface SignedRequest {
  /** As it is on the wire: `GET`. */
  readonly method: string
  /** The request target as it is on the wire: path and query for the usual forms; `:path` in HTTP/2. */
  readonly target: string
  readonly fields: HeaderFields
  /** `Host`, or `:authority` in HTTP/2; only where it is known. */
  readonly authority?: string | undefined
}

export interface SignedResponse {
  readonly status: number
  readonly fields: HeaderFields
}

/** What a signature covers parts of: a request, or a response and the request that it answers. */
export interface SignedMessage {
  readonly request: SignedRequest
  readonly response?: SignedResponse | undefined
}

/** A response with the request that it answers. */
export interface SignedExchange extends SignedMessage {
  readonly response: SignedResponse
}

/**
 * The text that a signature covers: a line for each component, and the parameters.
 *
 * Derived components of which a receiver cannot be sure, such as `@target-uri` and `@scheme`, and parameters that pick a part of a
 * field are not computed: a signature that covers them is refused.
 *
 * @param covered the components with the parameters of the signature, as `Signature-Input` has them
 * @throws {@link SallyportError} `HTTP_SIGNATURE_INVALID` for a component that is not in the message, is named twice or is of no
 *   kind that is known here
 * @see RFC 9421 §2.5
 */
export function signatureBase(covered: InnerList, message: SignedMessage): string {
  const names = covered.items.map(componentName)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  // First: a long header costs what it costs once, and not for each time that it is named.
  if (twice !== undefined) throw signatureInvalid(`it covers ${twice} twice`)
  const lines = covered.items.map((item) => {
    const value = valueOf(item, message)
    // A line break in a value would be a line of its own.
    if (/^[\t\x20-\x7e]*$/.test(value)) return `${printItem(item)}: ${value}`
    throw signatureInvalid(`${printItem(item)} holds other characters than ASCII`)
  })
  return [...lines, `"@signature-params": ${printInnerList(covered)}`].join('\n')
}

/** A component as this profile names it: `@status`, `content-type`, `@method;req`. */
export function componentName({ bare, parameters }: Item): string {
  if (bare.type !== 'string') throw signatureInvalid('it covers something whose name is no string')
  for (const [name, value] of parameters) {
    if (name !== 'req' || value.type !== 'boolean' || !value.value)
      throw signatureInvalid(`it covers a part of ${shown(bare.value)} that is not known here`)
  }
  return parameters.size === 0 ? bare.value : `${bare.value};req`
}

function valueOf(item: Item, { request, response }: SignedMessage): string {
  const name = componentName(item)
  const isOfRequest = name.endsWith(';req')
  if (isOfRequest && response === undefined) throw signatureInvalid(`${shown(name)} is of a response alone`)
  const bare = isOfRequest ? name.slice(0, -';req'.length) : name
  if (!bare.startsWith('@')) {
    const { fields } = isOfRequest || response === undefined ? request : response
    const value = fields.combined(bare)
    if (value !== undefined) return value
    throw signatureInvalid(`it covers ${shown(name)}, which is not in the message`)
  }
  const value =
    response === undefined || isOfRequest
      ? derivedOf(bare, request)
      : bare === '@status'
        ? String(response.status)
        : undefined
  if (value !== undefined) return value
  throw signatureInvalid(`it covers ${shown(name)}, which cannot be told here`)
}

/** @see RFC 9421 §2.2 */
function derivedOf(name: string, { method, target, authority }: SignedRequest): string | undefined {
  switch (name) {
    case '@method':
      return method
    case '@request-target':
      return target
    case '@authority':
      return authority?.toLowerCase().replace(/:443$/, '')
    case '@path':
      return pathOf(target)
    case '@query':
      return pathOf(target) === undefined ? undefined : `?${/\?([^#]*)/.exec(target)?.[1] ?? ''}`
    default:
      return undefined
  }
}

const shown = (name: string): string => JSON.stringify(name.slice(0, 60))
