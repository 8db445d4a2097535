import type { Clock } from '../clock.ts'
import { type GrpcStatusName, SallyportError } from '../errors.ts'
import { Backoff, SLOW_PACE } from './backoff.ts'

/** What a failure of a stream means for what watches it. */
export interface Consequence {
  /** Asking again is of no use: the watch ends. Default: false. */
  readonly isFinal?: boolean
  /** What was held is held no longer. Default: false. */
  readonly withdraws?: boolean
  /** Somebody has to change something first, so that it is asked again by and by. Default: false. */
  readonly isSlow?: boolean
  /** Resolves when asking again may help; rejects when the signal aborts. */
  readonly ready?: (signal: AbortSignal) => Promise<void>
}

/** What a watch needs besides its stream. */
export interface WatchOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly random: () => number
  /** Told about every failure that is retried: a stream that ended, a message that could not be used. */
  readonly onError: (error: Error) => void
  /** What answers mean. Default: what they mean of the Workload API. */
  readonly consequenceOf?: ((error: Error, status: GrpcStatusName) => Consequence) | undefined
}

/** A stream that ends sooner counts as a failure, even when it had delivered: else an agent that fails at once is asked without a pause. */
const SHORTEST_STREAM_MS = 1_000

/** Final are answers that will not change by asking again: the call itself is wrong, or the agent does not know it. */
function workloadConsequence(_error: Error, status: GrpcStatusName): Consequence {
  return {
    isFinal: status === 'INVALID_ARGUMENT' || status === 'UNIMPLEMENTED',
    withdraws: status === 'PERMISSION_DENIED',
  }
}

/**
 * Follows a stream of an agent for as long as `signal` allows: a stream that ends, for whatever reason, is opened again,
 * at once when it had delivered something and with growing pauses when it had not.
 *
 * A message that cannot be used is reported and changes nothing. Where an answer withdraws what was held, as PERMISSION_DENIED of the
 * Workload API does, `withdrawn` is yielded.
 *
 * @throws what the agent answered when asking again is of no use, and the signal's reason when it is aborted
 * @see SPIFFE_Workload_Endpoint.md §6; SPIFFE_Workload_API.md §4.1
 */
export async function* watchStream<M, T>(
  open: () => AsyncIterable<M>,
  decode: (message: M) => T,
  withdrawn: T,
  { clock, signal, random, onError, consequenceOf = workloadConsequence }: WatchOptions,
): AsyncGenerator<T> {
  const [backoff, slowBackoff] = [new Backoff(random), new Backoff(random, SLOW_PACE)]
  let holding = false
  for (;;) {
    signal.throwIfAborted()
    const openedMs = clock.monotonicMs()
    let delivered = false
    let consequence: Consequence = {}
    try {
      for await (const message of open()) {
        const state = usable(message, decode, onError)
        if (state === undefined) continue
        delivered = holding = true
        backoff.succeeded()
        slowBackoff.succeeded()
        yield state.value
      }
      onError(new SallyportError('UNREACHABLE', 'The Workload API ended the stream'))
    } catch (error) {
      signal.throwIfAborted()
      const status = statusOf(error)
      if (status === undefined) throw error
      consequence = consequenceOf(error as Error, status)
      if (consequence.isFinal === true) throw error
      onError(error as Error)
      if (consequence.withdraws === true && holding) {
        holding = false
        yield withdrawn
      }
    }
    await consequence.ready?.(signal)
    const ranFor = clock.monotonicMs() - openedMs
    if (consequence.isSlow === true) await clock.sleep(slowBackoff.nextPauseMs(), signal)
    else if (!delivered || ranFor < SHORTEST_STREAM_MS) await clock.sleep(backoff.nextPauseMs(), signal)
  }
}

function usable<M, T>(
  message: M,
  decode: (message: M) => T,
  onError: (error: Error) => void,
): { readonly value: T } | undefined {
  try {
    return { value: decode(message) }
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error
    onError(error)
    return undefined
  }
}

/** The gRPC status of an error that came from the other side, whoever rebuilt it; undefined for errors of this program. */
export function statusOf(error: unknown): GrpcStatusName | undefined {
  if (error instanceof SallyportError) return error.row.grpc
  if (error instanceof Error && 'grpc' in error && typeof error.grpc === 'string') return error.grpc as GrpcStatusName
  return undefined
}
