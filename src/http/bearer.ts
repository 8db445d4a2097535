import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { type ErrorCode, SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import { type JwtSvid, wantedAudiences } from '../svid/jwt-svid.ts'

/** Who verifies tokens with the bundles of the moment, such as `JwtSource`. */
export interface TokenVerifier {
  verify(token: string, audience: readonly string[] | string): Promise<JwtSvid>
}

export interface BearerOptions {
  /** What this service calls itself; a token must be meant for one of these. */
  readonly audience: readonly string[] | string
  /** Who may call. */
  readonly allow: IdMatcher
  /** Told of each request that was refused. */
  readonly onRefused?: ((error: Error, request: BearerRequest) => void) | undefined
}

/** A request of `node:http`, `node:https` or of the compatibility layer of `node:http2`. */
export type BearerRequest = IncomingMessage | Http2ServerRequest
export type BearerResponse = ServerResponse | Http2ServerResponse

/**
 * Answers whether a request may go on. Where it may not, the response has been sent. `next` is called in the first case only,
 * so it can be mounted in Express or Connect as it is.
 */
export type BearerMiddleware = (request: BearerRequest, response: BearerResponse, next?: () => void) => Promise<boolean>

const callers = new WeakMap<object, JwtSvid>()

/**
 * Lets in only requests with a JWT-SVID that verifies here: `Authorization: Bearer <token>`. Others are answered with 401 (no
 * token, or one that does not verify), 403 (not a caller that `allow` matches) or 503 (nothing to verify with), with a
 * `WWW-Authenticate` that names the error code and never with a part of the token. Who called: {@link callerOf}.
 *
 * @example
 * ```ts
 * const check = bearer(source, { audience: 'reports', allow: memberOf('example.org') })
 * app.use(check) // Express
 * http.createServer(async (request, response) => {
 *   if (!(await check(request, response))) return
 *   response.end(`hello ${callerOf(request).spiffeId}`)
 * })
 * ```
 * @see RFC 6750 §2.1 and §3
 */
export function bearer(source: TokenVerifier, options: BearerOptions): BearerMiddleware {
  const verify = bearerVerifier(source, options)
  return async (request, response, next) => {
    try {
      await verify(request)
    } catch (error) {
      refuse(response, error)
      options.onRefused?.(error as Error, request)
      return false
    }
    next?.()
    return true
  }
}

/**
 * {@link bearer} for frameworks with an error handling of their own: resolves to the caller, or rejects.
 *
 * @throws {@link SallyportError} `TOKEN_MISSING`, `PEER_REFUSED` and those of `verifyJwtSvid`
 */
export function bearerVerifier(
  source: TokenVerifier,
  options: BearerOptions,
): (request: BearerRequest) => Promise<JwtSvid> {
  if (typeof (source as Partial<TokenVerifier>).verify !== 'function')
    throw new TypeError('A bearer check needs a source: is the `await` of `await JwtSource.open()` missing?')
  const { audience, allow } = options
  wantedAudiences(audience, 'A bearer check')
  if (typeof (options as Partial<BearerOptions>).allow?.matches !== 'function')
    throw new TypeError('A bearer check needs `allow`: a matcher such as memberOf() or exactly()')
  return async (request) => {
    const caller = await source.verify(tokenOf(request), audience)
    if (!allow.matches(caller.spiffeId))
      throw new SallyportError('PEER_REFUSED', `Cannot serve ${caller.spiffeId}: wanted is ${allow.wants}`)
    callers.set(request, caller)
    return caller
  }
}

/**
 * Who called, by the token that {@link bearer} has verified.
 *
 * @throws {@link SallyportError} `PEER_NOT_VERIFIED`
 */
export function callerOf(request: object): JwtSvid {
  const caller = callers.get(request)
  if (caller !== undefined) return caller
  throw new SallyportError('PEER_NOT_VERIFIED', 'Cannot say who the caller is: no token of this request was verified', {
    hint: 'Let bearer() answer before the handler asks.',
  })
}

function tokenOf({ headers, rawHeaders }: BearerRequest): string {
  // Of two, another party on the way may have read the other one.
  const count = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'authorization').length
  const [, token] = /^Bearer +([\w.~+/-]+=*) *$/i.exec(headers.authorization ?? '') ?? []
  if (token !== undefined && count === 1) return token
  const why = count > 1 ? 'it has several Authorization headers' : 'it has no bearer token'
  throw new SallyportError('TOKEN_MISSING', `Cannot tell who calls: ${why}`)
}

/** What can be wrong with a token; anything else is wrong here. */
const TOKEN_PROBLEMS: ReadonlySet<ErrorCode> = new Set([
  'BUNDLE_UNKNOWN',
  'JSON_INVALID',
  'JWS_INVALID',
  'JWS_SIGNATURE_INVALID',
  'JWT_KEY_UNKNOWN',
  'JWT_SVID_AUDIENCE',
  'JWT_SVID_EXPIRED',
  'JWT_SVID_INVALID',
])

function refuse(response: BearerResponse, error: unknown): void {
  // Somebody who would not wait, such as a limit of time, has answered already.
  if (response.headersSent) return
  const [status, challenge] = answerTo(error instanceof SallyportError ? error.code : undefined)
  response.statusCode = status
  if (challenge !== undefined) response.setHeader('WWW-Authenticate', challenge)
  response.setHeader('Content-Length', 0)
  response.end()
}

function answerTo(code: ErrorCode | undefined): readonly [number, string | undefined] {
  if (code === 'TOKEN_MISSING') return [401, 'Bearer']
  if (code === 'PEER_REFUSED') return [403, `Bearer error="insufficient_scope", error_description="${code}"`]
  if (code !== undefined && TOKEN_PROBLEMS.has(code))
    return [401, `Bearer error="invalid_token", error_description="${code}"`]
  return [503, undefined]
}
