import type { BundleSet } from '../bundle/bundle-set.ts'
import type { Clock } from '../clock.ts'
import type { JwtSvid } from '../svid/jwt-svid.ts'
import type { ClientOptions } from '../wire/client.ts'
import type { SourceHealth } from './source-health.ts'
import { type JwtSvidRequest, WorkloadClient, type WatchSettings, type X509WatchSettings } from './workload-client.ts'
import type { X509Context } from './x509-context.ts'

/** What sources of X.509 and JWT follow: a `WorkloadClient`, or one workload of a broker. */
export interface SvidClient {
  readonly clock: Clock
  /** Where is asked, for messages. */
  readonly address: string
  watchX509Svids(signal: AbortSignal, settings?: X509WatchSettings): AsyncIterable<X509Context>
  watchX509Bundles(signal: AbortSignal, settings?: X509WatchSettings): AsyncIterable<BundleSet>
  watchJwtBundles(signal: AbortSignal, settings?: WatchSettings): AsyncIterable<BundleSet>
  fetchJwtSvids(request: JwtSvidRequest, options?: ClientOptions): Promise<readonly JwtSvid[]>
}

/** How a source finds the Workload API, and how long it waits for it. */
export interface SourceOptions<C = WorkloadClient> {
  /** `unix:///path` or `tcp://address:port`. Default: the environment's `SPIFFE_ENDPOINT_SOCKET`. */
  readonly endpoint?: string | undefined
  /** A client to share with other sources, in place of a connection of one's own. Whoever opened it closes it. */
  readonly client?: C | undefined
  /** The longest wait for the first state. Default: 30,000 ms; `Infinity` waits for as long as it takes. */
  readonly timeoutMs?: number | undefined
  /** Ends the wait for the first state. A source that is open is ended by closing it. */
  readonly signal?: AbortSignal | undefined
  /** Told of every change of health, from the start. */
  readonly onHealth?: ((health: SourceHealth) => void) | undefined
}

/** The client that a source uses, and what closes it with the source. */
export interface SourceClient<C = WorkloadClient> {
  readonly client: C
  close(): Promise<void>
}

/** @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE` */
export async function sourceClient<C = WorkloadClient>({
  client,
  endpoint,
  signal,
}: SourceOptions<C>): Promise<SourceClient<C | WorkloadClient>> {
  signal?.throwIfAborted()
  if (client !== undefined) return { client, close: async () => {} }
  const own = await WorkloadClient.open({ endpoint })
  return { client: own, close: () => own.close() }
}
