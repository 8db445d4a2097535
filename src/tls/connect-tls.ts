import { isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { systemClock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { Connections } from './connections.ts'
import { bearsConnection } from './peer-of.ts'
import { checkedClient, type TlsClientOptions } from './tls-client.ts'
import { DEFAULT_MIN_VERSION, secureContextOf } from './tls-options.ts'
import type { TlsSource } from './tls-source.ts'
import type { VerifiedPeer } from './verified-peer.ts'
import { verifyPeer } from './verify-peer.ts'

/** How long connecting and the handshake may take together, unless told otherwise. */
const DEFAULT_TIMEOUT_MS = 10_000

/** Where to connect: an address, or a connection that is already there, such as one through a proxy. */
export type TlsDestination =
  { readonly host: string; readonly port: number } | { readonly path: string } | { readonly connection: Duplex }

export interface ConnectTlsOptions extends TlsClientOptions {
  readonly to: TlsDestination
  readonly alpnProtocols?: readonly string[] | undefined
  /** The name for those who share an address (SNI); says nothing about identity. Default: the host, if it is a name. */
  readonly servername?: string | undefined
  /** For connecting and the handshake together. Default: 10 seconds. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Where it is registered, for those who look at open connections. */
  readonly connections?: Connections | undefined
}

/** A connection whose peer is verified. For HTTP/1.1: `http.request({ createConnection: () => socket })`. */
export interface VerifiedConnection {
  readonly socket: TLSSocket
  readonly peer: VerifiedPeer
}

const unwatched = new Connections()

/**
 * Connects with the SVID of the moment and verifies the server against the bundle of its own trust domain; not a byte is written
 * before that.
 *
 * @throws {@link SallyportError} `TLS_FAILED`, `PEER_CERTIFICATE_MISSING`, `PEER_REFUSED`, those of `verifyX509Svid` and of the source
 */
export async function connectTls(source: TlsSource, options: ConnectTlsOptions): Promise<VerifiedConnection> {
  const {
    to,
    server,
    alpnProtocols,
    signal,
    servername,
    connections = unwatched,
    clock = systemClock,
  } = checkedClient(source, options)
  signal?.throwIfAborted()
  const own = source.current().svid
  const name = servername ?? ('host' in to && isIP(to.host) === 0 ? to.host : undefined)
  return handshake(
    {
      ...('connection' in to ? { socket: to.connection } : to),
      secureContext: secureContextOf(own),
      minVersion: DEFAULT_MIN_VERSION,
      // Verified below, by our rules and before anything else; an SVID names no host, so its id is compared instead.
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ...(name === undefined ? {} : { servername: name }),
      ...(alpnProtocols === undefined ? {} : { ALPNProtocols: [...alpnProtocols] }),
    },
    options,
    (socket) => {
      const peer = verifyPeer(socket.getPeerX509Certificate(), server, { source, clock })
      // At once, so that its end cannot come before somebody listens for it.
      const connection = connections.add({ socket, peer, own, role: 'client' })
      bearsConnection(socket, connection)
      server.connected?.(connection)
      return peer
    },
  )
}

function handshake(
  options: ConnectionOptions,
  { signal, timeoutMs = DEFAULT_TIMEOUT_MS, clock = systemClock }: ConnectTlsOptions,
  verify: (socket: TLSSocket) => VerifiedPeer,
): Promise<VerifiedConnection> {
  return new Promise((resolve, reject) => {
    const socket = connect(options)
    const failed = (cause: Error): SallyportError => tlsFailed(addressOf(options), cause)
    const fail = (error: Error): void => {
      settled()
      socket.destroy()
      reject(error)
    }
    const abort = (): void => fail(signal?.reason as Error)
    const timer = clock.timer(timeoutMs, () => fail(failed(new Error(`no answer within ${timeoutMs} ms`))))
    const close = (): void => fail(failed(new Error('the connection was closed')))
    const settled = (): void => {
      timer[Symbol.dispose]()
      signal?.removeEventListener('abort', abort)
      socket.off('close', close)
    }
    signal?.addEventListener('abort', abort, { once: true })
    // Stays: a reset must not end the process. To whoever reads the socket it shows as the socket's end.
    socket.on('error', (cause) => fail(failed(cause)))
    // Some streams close without an error.
    socket.once('close', close)
    socket.once('secureConnect', () => {
      try {
        const peer = verify(socket)
        // The engine had no authorities to say so by.
        Object.assign(socket, { authorized: true, authorizationError: null })
        settled()
        resolve({ socket, peer })
      } catch (error) {
        fail(error as Error)
      }
    })
  })
}

/** An error of the TLS engine: its code, and what it says without the place in its sources. */
interface EngineError extends Error {
  readonly code?: string
  readonly reason?: string
}

/** What the engine says of bytes that are no TLS. */
const NO_TLS = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_UNEXPECTED_MESSAGE'])

function tlsFailed(address: string, cause: EngineError): SallyportError {
  const { code = '', reason, message } = cause
  if (NO_TLS.has(code))
    return new SallyportError('TLS_FAILED', `Cannot connect to ${address}: the answer is not TLS`, {
      cause,
      hint: 'Check the port, and that the other side is made by createServer of node:https, not of node:http.',
    })
  return new SallyportError('TLS_FAILED', `Cannot connect to ${address}: ${reason ?? message}`, { cause })
}

function addressOf({ host, port, path }: ConnectionOptions): string {
  if (path !== undefined) return path
  return host === undefined ? 'the peer' : `${host}:${port}`
}
