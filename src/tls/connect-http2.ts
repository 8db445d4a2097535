import { type ClientHttp2Session, connect, type SecureClientSessionOptions } from 'node:http2'
import { type Clock, systemClock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { clientConnections, type ReusingClientOptions } from './client-connections.ts'
import { connectTls } from './connect-tls.ts'
import { bearsConnection, connectionOf } from './peer-of.ts'
import { destinationOf } from './destination.ts'
import type { TlsSource } from './tls-source.ts'

export interface ConnectHttp2Options extends ReusingClientOptions {
  readonly signal?: AbortSignal | undefined
  /** What else the session goes by, such as `settings`. */
  readonly session?: Omit<SecureClientSessionOptions, 'createConnection'> | undefined
}

/**
 * Opens an HTTP/2 session to a server that is verified. Shortly before the SVID of either side expires the session closes
 * (`session.closed`): its requests finish, and the next ones need a new session. A server that ends a session by itself may have
 * refused a request of the same moment (`NGHTTP2_REFUSED_STREAM`), which was not served and may be asked again.
 *
 * @param authority such as `https://orders:8443`
 * @throws {@link SallyportError} those of `connectTls`; `TLS_FAILED` also when the server does not speak HTTP/2
 */
export async function connectHttp2(
  source: TlsSource,
  authority: string | URL,
  options: ConnectHttp2Options,
): Promise<ClientHttp2Session> {
  const url = new URL(authority)
  const { hostname, protocol } = url
  if (protocol !== 'https:') throw new TypeError(`HTTP/2 with SVIDs is spoken to https: addresses, not to ${protocol}`)
  const { server, clock, timeoutMs, signal } = options
  const { socket } = await connectTls(source, {
    to: destinationOf(url),
    server,
    clock,
    timeoutMs,
    signal,
    alpnProtocols: ['h2'],
    connections: clientConnections(options),
  })
  if (socket.alpnProtocol !== 'h2') {
    socket.destroy()
    throw new SallyportError('TLS_FAILED', `Cannot speak HTTP/2 to ${hostname}: it did not agree to`)
  }
  const session = connect(authority, { ...options.session, createConnection: () => socket })
  // A peer that resets must not end the process; each request that is open hears of it.
  session.on('error', () => {})
  const connection = connectionOf(socket)
  bearsConnection(session, connection)
  connection.farewell = () => close(session, clock)
  return session
}

/** By then every request that was made before is on its way. */
const GOAWAY_AFTER_MS = 100

/**
 * Closes for those who ask `session.closed` at once, and for the server a moment later: a GOAWAY would overtake requests of the
 * same moment, and the server would refuse them.
 */
function close(session: ClientHttp2Session, clock: Clock = systemClock): void {
  Object.defineProperty(session, 'closed', { value: true, configurable: true })
  clock.timer(GOAWAY_AFTER_MS, () => {
    Reflect.deleteProperty(session, 'closed')
    session.close()
  })
}
