import type { Duplex } from 'node:stream'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import { tlsClientOptions } from './tls-options.ts'
import { type PeerVerification, verifyPeer } from './verify-peer.ts'

/** Where to connect: an address, or a connection that is already there, such as one through a proxy. */
export type TlsDestination = { readonly host: string; readonly port: number } | { readonly connection: Duplex }

export interface ConnectTlsOptions extends PeerVerification {
  readonly to: TlsDestination
  /** Who must answer there. */
  readonly server: IdMatcher
  readonly alpnProtocols?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/** A connection whose peer is verified. For HTTP: `http.request({ createConnection: () => socket })`. */
export interface VerifiedConnection {
  readonly socket: TLSSocket
  readonly peer: X509Svid
}

/**
 * Connects with the SVID of the moment and verifies the server against the bundle of its own trust domain; not a byte is written
 * before that.
 *
 * @throws {@link SallyportError} `TLS_FAILED`, `PEER_CERTIFICATE_MISSING`, `PEER_REFUSED`, and those of `verifyX509Svid`
 */
export async function connectTls(options: ConnectTlsOptions): Promise<VerifiedConnection> {
  const { to, server, alpnProtocols, signal } = options
  signal?.throwIfAborted()
  const socket = await handshake(
    {
      ...tlsClientOptions(options.source),
      ...('connection' in to ? { socket: to.connection } : to),
      ...(alpnProtocols === undefined ? {} : { ALPNProtocols: [...alpnProtocols] }),
    },
    signal,
  )
  try {
    return { socket, peer: await verifyPeer(socket, server, options) }
  } catch (error) {
    socket.destroy()
    throw error
  }
}

function handshake(options: ConnectionOptions, signal: AbortSignal | undefined): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(options)
    const abort = (): void => {
      socket.destroy(signal?.reason as Error)
    }
    const fail = (cause: Error): void => {
      signal?.removeEventListener('abort', abort)
      if (signal?.aborted === true) return reject(signal.reason as Error)
      reject(
        new SallyportError('TLS_FAILED', `Cannot connect to ${addressOf(options)}: ${cause.message}`, {
          cause,
        }),
      )
    }
    signal?.addEventListener('abort', abort, { once: true })
    const close = (): void => fail(new Error('the connection was closed'))
    socket.once('error', fail)
    // Some streams close without an error.
    socket.once('close', close)
    socket.once('secureConnect', () => {
      signal?.removeEventListener('abort', abort)
      socket.off('error', fail).off('close', close)
      // Between here and the caller's own listener the peer is being verified; its reset shows as a destroyed socket.
      socket.on('error', () => socket.destroy())
      resolve(socket)
    })
  })
}

const addressOf = ({ host, port }: ConnectionOptions): string => (host === undefined ? 'the peer' : `${host}:${port}`)
