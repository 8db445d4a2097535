import { SallyportError } from '../../src/errors.ts'
import type { Status } from '../../src/wire/messages/spire-api-types.ts'
import { RpcError, statusName } from '../../src/wire/status.ts'
import { grpcStatusOf } from './refusal.ts'
import { SIGN_BATCH_MAX } from './upstream.ts'

/** What the server says of one order. */
interface Answer<S> {
  readonly status: Status | null
  readonly svid: S | null
}

interface Refused {
  readonly refused: Error
}

type SendBatch<O, S> = (batch: readonly O[]) => Promise<readonly Answer<S>[]>

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
 *
 * @param read what a signed SVID comes to; undefined when it holds nothing
 */
export async function signInBatches<O, S, R extends object>(
  orders: readonly O[],
  send: SendBatch<O, S>,
  read: (svid: S) => R | undefined,
): Promise<(R | Refused)[]> {
  const results: (R | Refused)[] = []
  for (let start = 0; start < orders.length; start += SIGN_BATCH_MAX) {
    results.push(...(await signHalving(orders.slice(start, start + SIGN_BATCH_MAX), send, read)))
  }
  return results
}

async function signHalving<O, S, R extends object>(
  orders: readonly O[],
  send: SendBatch<O, S>,
  read: (svid: S) => R | undefined,
): Promise<(R | Refused)[]> {
  try {
    const results = await send(orders)
    if (results.length === orders.length) return results.map((result) => readResult(result, read))
    throw new SallyportError(
      'SERVER_ANSWER_INVALID',
      `The server answered ${orders.length} orders with ${results.length}`,
    )
  } catch (error) {
    if (NOT_OF_AN_ORDER.has(grpcStatusOf(error) ?? '') && !isInvalidAnswer(error)) throw error
    if (orders.length === 1) return [{ refused: error instanceof Error ? error : new Error(String(error)) }]
    const middle = Math.ceil(orders.length / 2)
    return [
      ...(await signHalving(orders.slice(0, middle), send, read)),
      ...(await signHalving(orders.slice(middle), send, read)),
    ]
  }
}

const isInvalidAnswer = (error: unknown): boolean =>
  error instanceof SallyportError && error.code === 'SERVER_ANSWER_INVALID'

function readResult<S, R extends object>({ status, svid }: Answer<S>, read: (svid: S) => R | undefined): R | Refused {
  const name = statusName(status?.code ?? 0)
  if (name !== 'OK') return { refused: new RpcError(name, status?.message ?? '') }
  const signed = svid === null ? undefined : read(svid)
  return signed ?? { refused: new SallyportError('SERVER_ANSWER_INVALID', 'The server answered an order with no SVID') }
}
