import { type BundleSet, bundleSetOf } from '../bundle/bundle-set.ts'
import { parseJwks } from '../bundle/jwks.ts'
import { type JwtSvid, parseJwtSvid } from '../svid/jwt-svid.ts'
import type { JwtBundlesResponse, JwtSvidResponse } from '../wire/messages/spiffe-workload.ts'
import { incomplete, nonEmpty, trustDomainOfKey } from './x509-context.ts'

/** @throws {@link SallyportError} `WORKLOAD_RESPONSE_INVALID`, and those of the keys in it */
export function jwtBundlesOf({ bundles }: JwtBundlesResponse): BundleSet {
  return bundleSetOf(nonEmpty(bundles).map(([key, jwks]) => parseJwks(jwks.toString('utf8'), trustDomainOfKey(key))))
}

/**
 * Tokens that were asked for with this audience.
 *
 * @throws {@link SallyportError} `WORKLOAD_RESPONSE_INVALID`, and those of the tokens in it
 */
export function jwtSvidsOf({ svids }: JwtSvidResponse, audience: readonly string[]): readonly JwtSvid[] {
  if (svids.length === 0) throw incomplete('it has no SVID')
  return svids.map(({ spiffeId, svid, hint }) => {
    if (svid === '') throw incomplete('an SVID comes without its token')
    const parsed = parseJwtSvid(svid, hint)
    if (parsed.spiffeId.toString() !== spiffeId)
      throw incomplete(`a token of ${parsed.spiffeId} is announced as another`)
    const missing = audience.find((value) => !parsed.audience.includes(value))
    if (missing !== undefined)
      throw incomplete(`a token is not for the audience ${JSON.stringify(missing.slice(0, 80))}`)
    return parsed
  })
}
