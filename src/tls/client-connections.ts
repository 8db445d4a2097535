import { Connections } from './connections.ts'
import type { Retirement } from './retirement.ts'
import type { TlsClientOptions } from './tls-client.ts'

/** For clients that hold connections open between requests. */
export interface ReusingClientOptions extends TlsClientOptions {
  /**
   * When a connection is no longer used for new requests. Default: shortly before the SVID of either side expires, which is
   * before a server would close it; requests that are open then may finish.
   */
  readonly retire?: Retirement | undefined
  /** For a connection and its handshake together. Default: 10 seconds. */
  readonly timeoutMs?: number | undefined
}

/** A client that has stopped using a connection waits for its own requests as long as they take. */
export function clientConnections({ retire = {}, clock }: ReusingClientOptions): Connections {
  return new Connections({ clock, retire: { drainMs: Infinity, ...retire } })
}
