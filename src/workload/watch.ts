import type { Clock } from '../clock.ts'
import { type GrpcStatusName, SallyportError } from '../errors.ts'
import { Backoff } from './backoff.ts'

/** What a watch needs besides its stream. */
export interface WatchOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly random: () => number
  /** Told about every failure that is retried: a stream that ended, a message that could not be used. */
  readonly onError: (error: Error) => void
}

/** A stream that ends sooner counts as a failure, even when it had delivered: else an agent that fails at once is asked without a pause. */
const SHORTEST_STREAM_MS = 1_000

/** Answers that will not change by asking again: the call itself is wrong, or the agent does not know it. */
const FATAL: readonly GrpcStatusName[] = ['INVALID_ARGUMENT', 'UNIMPLEMENTED']

/**
 * Follows a stream of the Workload API for as long as `signal` allows: a stream that ends, for whatever reason, is opened again,
 * at once when it had delivered something and with growing pauses when it had not.
 *
 * A message that cannot be used is reported and changes nothing. PERMISSION_DENIED withdraws what was held: `withdrawn` is yielded.
 *
 * @throws what the agent answered when asking again is of no use, and the signal's reason when it is aborted
 * @see SPIFFE_Workload_Endpoint.md §6; SPIFFE_Workload_API.md §4.1
 */
export async function* watchStream<M, T>(
  open: () => AsyncIterable<M>,
  decode: (message: M) => T,
  withdrawn: T,
  { clock, signal, random, onError }: WatchOptions,
): AsyncGenerator<T> {
  const backoff = new Backoff(random)
  let holding = false
  for (;;) {
    signal.throwIfAborted()
    const openedMs = clock.monotonicMs()
    let delivered = false
    try {
      for await (const message of open()) {
        const state = usable(message, decode, onError)
        if (state === undefined) continue
        delivered = holding = true
        backoff.succeeded()
        yield state.value
      }
      onError(new SallyportError('UNREACHABLE', 'The Workload API ended the stream'))
    } catch (error) {
      signal.throwIfAborted()
      const status = statusOf(error)
      if (status === undefined || FATAL.includes(status)) throw error
      onError(error as Error)
      if (status === 'PERMISSION_DENIED' && holding) {
        holding = false
        yield withdrawn
      }
    }
    const ranFor = clock.monotonicMs() - openedMs
    if (!delivered || ranFor < SHORTEST_STREAM_MS) await clock.sleep(backoff.nextPauseMs(), signal)
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
