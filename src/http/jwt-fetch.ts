import { SallyportError } from '../errors.ts'
import { checkTokenOrder, type TokenSource } from './token-source.ts'

export interface JwtFetchOptions {
  /** Send tokens over plain HTTP to other machines, where anybody on the way can read and use them. Default: no. */
  readonly allowPlainHttp?: boolean | undefined
  /** The `fetch` underneath. Default: the global one. */
  readonly fetch?: typeof fetch | undefined
}

/**
 * A `fetch` that adds a JWT-SVID for an audience to each request. A redirect to another origin is followed without it.
 *
 * @param audience what the receiver calls itself; one for each receiver, because each could use the token at the others
 * @throws {@link SallyportError} `PLAIN_HTTP_REFUSED`, and those of the source
 * @example
 * ```ts
 * const reports = jwtFetch(source, 'reports')
 * const answer = await reports('https://reports.example.org/today')
 * ```
 */
export function jwtFetch(
  source: TokenSource,
  audience: readonly string[] | string,
  options: JwtFetchOptions = {},
): typeof fetch {
  checkTokenOrder(source, audience)
  const { allowPlainHttp = false } = options
  return async (input, init) => {
    const request = input instanceof Request ? input : undefined
    if (!allowPlainHttp) checkConfidential(new URL(input instanceof Request ? input.url : input))
    const headers = new Headers(init?.headers ?? request?.headers)
    if (headers.has('authorization')) throw new TypeError('The request has an Authorization header of its own')
    const { token } = await source.fetch(audience, { signal: init?.signal ?? request?.signal })
    headers.set('authorization', `Bearer ${token}`)
    // Looked up late, so that whoever replaces the global one is heard.
    return (options.fetch ?? globalThis.fetch)(input, { ...init, headers })
  }
}

function checkConfidential({ protocol, hostname }: URL): void {
  if (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))) return
  throw new SallyportError('PLAIN_HTTP_REFUSED', `Cannot send a token to ${hostname} over ${protocol}`)
}

/** As a URL spells it, which is always in full. */
const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
