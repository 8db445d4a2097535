import { SallyportError } from '../../src/errors.ts'
import type { BatchNewX509SvidResponseResult } from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import { RpcError, statusName } from '../../src/wire/status.ts'
import { grpcStatusOf } from './refusal.ts'
import { SIGN_BATCH_MAX, type X509SvidOrder, type X509SvidResult } from './upstream.ts'

type SendBatch = (batch: readonly X509SvidOrder[]) => Promise<readonly BatchNewX509SvidResponseResult[]>

/** Failures of the call, not of an order in it: halves of it would fail as well, and be a flood. */
const NOT_OF_AN_ORDER = new Set([
  'UNAVAILABLE',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'UNIMPLEMENTED',
  'CANCELLED',
  'RESOURCE_EXHAUSTED',
  'DEADLINE_EXCEEDED',
])

/**
 * Has orders signed in calls of at most {@link SIGN_BATCH_MAX}. A call that fails is made again in halves, so that one order that
 * the server chokes on does not hold back the others; results come in the order of the orders.
 */
export async function signInBatches(orders: readonly X509SvidOrder[], send: SendBatch): Promise<X509SvidResult[]> {
  const results: X509SvidResult[] = []
  for (let start = 0; start < orders.length; start += SIGN_BATCH_MAX) {
    results.push(...(await signHalving(orders.slice(start, start + SIGN_BATCH_MAX), send)))
  }
  return results
}

async function signHalving(orders: readonly X509SvidOrder[], send: SendBatch): Promise<X509SvidResult[]> {
  try {
    const results = await send(orders)
    if (results.length === orders.length) return results.map(readResult)
    throw new SallyportError(
      'SERVER_ANSWER_INVALID',
      `The server answered ${orders.length} CSRs with ${results.length}`,
    )
  } catch (error) {
    if (NOT_OF_AN_ORDER.has(grpcStatusOf(error) ?? '') && !isInvalidAnswer(error)) throw error
    if (orders.length === 1) return [{ refused: error instanceof Error ? error : new Error(String(error)) }]
    const middle = Math.ceil(orders.length / 2)
    return [...(await signHalving(orders.slice(0, middle), send)), ...(await signHalving(orders.slice(middle), send))]
  }
}

const isInvalidAnswer = (error: unknown): boolean =>
  error instanceof SallyportError && error.code === 'SERVER_ANSWER_INVALID'

function readResult({ status, svid }: BatchNewX509SvidResponseResult): X509SvidResult {
  const name = statusName(status?.code ?? 0)
  if (name !== 'OK') return { refused: new RpcError(name, status?.message ?? '') }
  if (svid !== null && svid.certChain.length > 0) return { chain: svid.certChain }
  return { refused: new SallyportError('SERVER_ANSWER_INVALID', 'The server answered a CSR without a certificate') }
}
