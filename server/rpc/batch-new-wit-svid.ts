import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import type {
  BatchNewWitSvidRequest,
  BatchNewWitSvidResponse,
} from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { witNotOffered } from '../authority/authority-config.ts'
import { agentCallerOf } from './agent-caller.ts'
import { entitledEntry } from './entitled-entry.ts'
import { eachItem, failedItem, OK } from './items.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { tokenSvidToMessage } from './svid-message.ts'
import { workloadKeyOf } from './workload-key.ts'

/** The most keys of one call, as many as certificates. */
export const BATCH_MAX_KEYS = 500

/** `BatchNewWITSVID`: each key has its own result; they are signed in one go. Id and life are the entry's, whoever asks. */
export async function batchNewWitSvid(
  { params }: BatchNewWitSvidRequest,
  call: Call,
  deps: RpcDeps,
): Promise<Sent<BatchNewWitSvidResponse>> {
  if (!deps.authorities.offers('wit')) throw witNotOffered()
  if (params.length === 0) throw new SallyportError('REQUEST_INVALID', 'missing parameters')
  if (params.length > BATCH_MAX_KEYS) {
    throw new SallyportError(
      'BATCH_TOO_LARGE',
      `Cannot sign for ${params.length} keys at once: at most ${BATCH_MAX_KEYS}`,
    )
  }
  const { spiffeId: agentId } = agentCallerOf(call, deps)
  await deps.spendSignatures(call, params.length)
  const orders = eachItem(params, (param) => {
    if (param.entryId === '') throw new SallyportError('REQUEST_INVALID', 'missing entry ID')
    const { spiffeId, x509TtlSeconds, id, hint } = entitledEntry(param.entryId, agentId, deps)
    return { ...workloadKeyOf(param), spiffeId, ttlSeconds: x509TtlSeconds, entryId: id, agentId, hint }
  })
  const good = orders.flatMap((order) => ('value' in order ? [order.value] : []))
  const issued = (good.length === 0 ? [] : await deps.issuer.issueWitSvids(good)).values()
  const failed = (error: unknown) => ({ status: failedItem(error, call, deps.log), svid: null })
  return {
    results: orders.map((order) => {
      if ('error' in order) return failed(order.error)
      const svid = issued.next().value
      if (svid === undefined || svid instanceof SallyportError) return failed(svid)
      return { status: OK, svid: tokenSvidToMessage(svid.spiffeId, svid, svid.hint) }
    }),
  }
}
