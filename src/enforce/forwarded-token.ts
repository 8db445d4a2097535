import { isSallyportError } from '../errors.ts'
import type { JwtFacts } from '../policy/request.ts'
import { type JwtSvid, parseJwtSvid } from '../svid/jwt-svid.ts'

/** Who verifies tokens with the bundles of the moment, such as `JwtSource`. */
export interface ForwardedTokens {
  verify(token: string, audience: readonly string[] | string): Promise<JwtSvid>
}

/**
 * What policy asks of the token of a request. Only one that would count is verified: whoever may not forward gains nothing by a
 * good token and loses nothing by a bad one.
 *
 * @param authorizations the values of every `Authorization` of the request
 * @param audience that the service accepts from this peer; undefined: none
 * @see zones.md ZO-42
 */
export function forwardedToken(
  authorizations: readonly string[],
  audience: string | undefined,
  tokens: ForwardedTokens | undefined,
): JwtFacts | Promise<JwtFacts> | undefined {
  // Other schemes are the application's own.
  if (!authorizations.some((one) => /^bearer(?:\s|$)/i.test(one))) return undefined
  // Of several the application may read any.
  const [only = '', ...others] = authorizations
  const [, token] = (others.length === 0 ? /^Bearer +([\w.~+/-]+=*) *$/i.exec(only) : undefined) ?? []
  // What cannot be verified is not passed over: the application may read it all the same.
  if (token === undefined || audience === undefined || tokens === undefined) return { refused: 'JWT_INVALID' }
  return verify(token, audience, tokens)
}

async function verify(token: string, audience: string, tokens: ForwardedTokens): Promise<JwtFacts> {
  try {
    return factsOf(await tokens.verify(token, audience))
  } catch (error) {
    if (!isSallyportError(error)) return { refused: 'JWT_INVALID' }
    if (error.code === 'JWT_SVID_EXPIRED') return { refused: 'JWT_EXPIRED' }
    // Whose it is was not proven, but policy refuses it for its audience, whoever that is.
    return error.code === 'JWT_SVID_AUDIENCE' ? unproven(token, audience) : { refused: 'JWT_INVALID' }
  }
}

function unproven(token: string, audience: string): JwtFacts {
  const svid = parseJwtSvid(token)
  return svid.audience.includes(audience) ? { refused: 'JWT_INVALID' } : factsOf(svid)
}

const factsOf = ({ spiffeId, audience, expiresAt }: JwtSvid): JwtFacts => ({
  spiffeId: spiffeId.toString(),
  audience,
  expiresAt: expiresAt.getTime(),
})
