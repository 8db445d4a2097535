import { RpcError } from '../wire/status.ts'
import type { WitSvidRequest, WitSvidResponse } from '../wire/messages/spiffe-workload.ts'
import type { Sent } from '../wire/service.ts'
import { nameOf, type WorkloadMessages } from './workload-state.ts'

const WIT_LIFE_MS = 3_600_000

/** WIT-SVIDs of all identities or of the one that was asked for, each with a new key. */
export async function answerWitSvids(
  { svids, home }: WorkloadMessages,
  { spiffeId }: WitSvidRequest,
): Promise<Sent<WitSvidResponse>> {
  const wanted = svids.filter(({ svid }) => spiffeId === '' || nameOf(svid) === spiffeId)
  if (wanted.length === 0) throw new RpcError('PERMISSION_DENIED', 'no identity issued')
  const issued = wanted.map(async ({ svid, hint }) => {
    const sub = nameOf(svid)
    // A source that has been open for a while must get tokens that are valid now.
    const { token, privateKey } = await home.issueWit('', {
      expiresAt: new Date(Date.now() + WIT_LIFE_MS),
      claims: { sub },
    })
    return { spiffeId: sub, witSvid: token, witSvidKey: JSON.stringify(privateKey.export({ format: 'jwk' })), hint }
  })
  return { svids: await Promise.all(issued) }
}
