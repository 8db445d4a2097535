import { SallyportError } from '../errors.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { selectSvid, type SvidChoice } from './select-svid.ts'
import type { WorkloadClient } from './workload-client.ts'
import { NO_X509_CONTEXT, type X509Context } from './x509-context.ts'

export interface WorkloadSourceOptions {
  readonly client: WorkloadClient
  /** Stops the source, and the wait for its first SVID. */
  readonly signal: AbortSignal
  /** Which identity to be. Default: the first that the agent lists. */
  readonly choice?: SvidChoice | undefined
  /** Told after every change, when `current()` answers with the new state. */
  readonly onChange?: ((context: X509Context) => void) | undefined
}

/** This workload's SVID and bundles, kept current by a watch. All of one update takes effect at once. */
export interface WorkloadSource extends TlsSource, AsyncDisposable {
  /** Resolves when the watch has ended; rejects when it ended because asking again is of no use. */
  readonly ended: Promise<void>
}

/** Waits for the first SVID, then stays current until it is disposed or `signal` aborts. */
export async function openWorkloadSource(options: WorkloadSourceOptions): Promise<WorkloadSource> {
  const { client, choice, onChange } = options
  const stop = new AbortController()
  const signal = AbortSignal.any([options.signal, stop.signal])
  const first = Promise.withResolvers<void>()
  let held = NO_X509_CONTEXT
  const ended = (async () => {
    for await (const context of client.watchX509Svids(signal)) {
      held = context
      if (context.svids.length > 0) first.resolve()
      onChange?.(context)
    }
  })().catch((error: unknown) => {
    first.reject(error)
    if (!signal.aborted) throw error
  })
  // Whoever awaits `ended` learns of a failure; nobody has to.
  ended.catch(() => {})
  await first.promise
  return {
    ended,
    current() {
      if (held.svids.length === 0)
        throw new SallyportError('IDENTITY_NOT_HELD', 'Cannot be anybody: the agent has withdrawn every SVID')
      return { svid: selectSvid(held.svids, choice), bundles: held.bundles }
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the source was closed'))
      await ended.catch(() => {})
    },
  }
}
