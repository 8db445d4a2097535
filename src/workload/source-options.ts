import type { SourceHealth } from './source-health.ts'
import { WorkloadClient } from './workload-client.ts'

/** How a source finds the Workload API, and how long it waits for it. */
export interface SourceOptions {
  /** `unix:///path` or `tcp://address:port`. Default: the environment's `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string | undefined
  /** A client to share with other sources, in place of a connection of one's own. Whoever opened it closes it. */
  readonly client?: WorkloadClient | undefined
  /** The longest wait for the first state. Default: 30,000 ms; `Infinity` waits for as long as it takes. */
  readonly timeoutMs?: number | undefined
  /** Ends the wait for the first state. A source that is open is ended by closing it. */
  readonly signal?: AbortSignal | undefined
  /** Told of every change of health, from the start. */
  readonly onHealth?: ((health: SourceHealth) => void) | undefined
}

/** The client that a source uses, and what closes it with the source. */
export interface SourceClient {
  readonly client: WorkloadClient
  close(): Promise<void>
}

/** @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE` */
export async function sourceClient({ client, endpoint, signal }: SourceOptions): Promise<SourceClient> {
  signal?.throwIfAborted()
  if (client !== undefined) return { client, close: async () => {} }
  const own = await WorkloadClient.open({ endpoint })
  return { client: own, close: () => own.close() }
}
