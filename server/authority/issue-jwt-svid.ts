import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { parseJws } from '../../src/jws/parse-jws.ts'
import { signJws } from '../../src/jws/sign-jws.ts'
import { problemOfAudience } from '../../src/svid/asked-audience.ts'
import type { ActiveTokenAuthority } from './active-authority.ts'
import { checkStillPublished } from './check-still-published.ts'
import { checkTokenId, issuedToken, type IssuedToken, signedOtherwise } from './issued-token.ts'
import type { IssuerDeps } from './issuer-deps.ts'
import { checkTtl, validityOf } from './x509-svid-template.ts'

/** A request for a token; who may ask for what was decided before. */
export interface JwtOrder {
  readonly spiffeId: SpiffeId
  /** At least one. */
  readonly audience: readonly string[]
  /** 0 or left out: the server's default. Never beyond the authority. */
  readonly ttlSeconds?: number | undefined
  /** Whether the token has an id of its own, `jti`. */
  readonly includeJti?: boolean | undefined
  readonly entryId?: string | undefined
  readonly agentId?: SpiffeId | undefined
  readonly callerId?: SpiffeId | string | undefined
  readonly hint?: string | undefined
}

/** The claims of a token. Nothing that changes during its life is in them. */
export interface JwtTemplate {
  readonly sub: string
  readonly aud: readonly string[]
  readonly iat: number
  readonly exp: number
  readonly iss?: string
  readonly jti?: string
}

/** Template → check → record beside sign → check → release, as for certificates. */
export async function issueJwtSvid(deps: IssuerDeps, order: JwtOrder): Promise<IssuedToken> {
  const { authorities, store, clock, config, gate } = deps
  const authority = authorities.activeJwt()
  checkJwtOrder(order, config.trustDomain)
  const refusal = gate.refusal(order.spiffeId, order.agentId) ?? gate.audienceRefusal(order.spiffeId, order.audience)
  if (refusal !== undefined) throw refusal
  const template = jwtTemplate(order, authority, clock.now(), deps)
  const { sub, aud, exp, jti } = template
  const expiresAt = new Date(exp * 1000)
  authorities.recordLife(authority.authorityId, expiresAt)
  const facts = {
    spiffeId: sub,
    entryId: order.entryId,
    agentId: order.agentId?.toString(),
    callerId: order.callerId?.toString(),
    audience: aud,
    authorityId: authority.authorityId,
    notAfter: expiresAt.toISOString(),
    jti,
  }
  const { authorityId: kid, signer, algorithm } = authority
  const [token] = await Promise.all([
    signJws({ kid, typ: 'JWT' }, template, signer, algorithm),
    store.commit({ mutations: [], audit: [{ type: 'jwt-svid.issued', at: clock.now(), facts }] }),
  ])
  checkJwtSigned(token, template, authority)
  checkStillPublished(authorities, 'jwt', kid)
  return issuedToken(token, order, template, kid)
}

/**
 * Refuses tokens that no workload may have.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`, `SIGNING_REFUSED`
 */
export function checkJwtOrder({ spiffeId, audience }: JwtOrder, trustDomain: TrustDomain): void {
  const problem = problemOfAudience(audience)
  if (problem !== undefined) {
    throw new SallyportError('REQUEST_INVALID', `Cannot issue a JWT-SVID for ${spiffeId}: ${problem}`)
  }
  checkTokenId(spiffeId, trustDomain)
}

function jwtTemplate(
  { spiffeId, audience, ttlSeconds = 0, includeJti = false }: JwtOrder,
  authority: ActiveTokenAuthority,
  now: Date,
  { config, random }: IssuerDeps,
): JwtTemplate {
  const { notAfter } = validityOf(checkTtl(ttlSeconds) || config.jwtTtlSeconds, now, authority)
  return {
    sub: spiffeId.toString(),
    aud: audience,
    iat: Math.floor(now.getTime() / 1000),
    exp: notAfter.getTime() / 1000,
    ...(config.jwtIssuer === undefined ? {} : { iss: config.jwtIssuer }),
    ...(includeJti ? { jti: tokenId(random) } : {}),
  }
}

/** A random UUID (version 4) in base64url, as SPIRE writes it. */
function tokenId(random: (bytes: number) => Buffer): string {
  const bytes = Buffer.from(random(16))
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('base64url')
}

/** Reads the token back: what left must say what was decided. */
function checkJwtSigned(token: string, template: JwtTemplate, { authorityId, algorithm }: ActiveTokenAuthority): void {
  const read = parseJws(token)
  const isAsAsked =
    read.keyId === authorityId &&
    read.algorithm === algorithm &&
    JSON.stringify(read.payload) === JSON.stringify(template)
  if (isAsAsked) return
  throw signedOtherwise(template)
}
