import { threadPoolCryptography as cryptography } from '../key/thread-pool-cryptography.ts'
import { verifyJwtSvid } from '../svid/verify-jwt-svid.ts'
import { RpcError } from '../wire/status.ts'
import type {
  JwtSvidRequest,
  JwtSvidResponse,
  ValidateJwtSvidRequest,
  ValidateJwtSvidResponse,
} from '../wire/messages/spiffe-workload.ts'
import type { Sent } from '../wire/service.ts'
import { structOf } from '../workload/struct.ts'
import { nameOf, type WorkloadMessages } from './workload-state.ts'

/** Tokens for the audience, of all identities or of the one that was asked for. */
export async function answerJwtSvids(
  { svids, home }: WorkloadMessages,
  { audience, spiffeId }: JwtSvidRequest,
): Promise<Sent<JwtSvidResponse>> {
  if (audience.length === 0) throw new RpcError('INVALID_ARGUMENT', 'audience must be specified')
  const wanted = svids.filter(({ svid }) => spiffeId === '' || nameOf(svid) === spiffeId)
  if (wanted.length === 0) throw new RpcError('PERMISSION_DENIED', 'no identity issued')
  const tokens = wanted.map(async ({ svid, hint }) => {
    const sub = nameOf(svid)
    // A source that has been open for a while must get tokens that are valid now.
    const now = Date.now()
    const issuedAt = new Date(now)
    const expiresAt = new Date(now + JWT_LIFE_MS)
    return { spiffeId: sub, svid: await home.issueJwt({ audience, issuedAt, expiresAt, claims: { sub } }), hint }
  })
  return { svids: await Promise.all(tokens) }
}

const JWT_LIFE_MS = 5 * 60_000

/** As an agent validates a token. */
export async function validateJwtSvid(
  { bundles }: WorkloadMessages,
  { svid, audience }: ValidateJwtSvidRequest,
): Promise<Sent<ValidateJwtSvidResponse>> {
  try {
    const { spiffeId, claims } = await verifyJwtSvid(svid, audience, bundles, new Date(), { cryptography })
    return { spiffeId: spiffeId.toString(), claims: structOf(claims) }
  } catch (error) {
    throw new RpcError('INVALID_ARGUMENT', error instanceof Error ? error.message : String(error))
  }
}
