import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { IdMatcher } from '../id/matcher.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import { contextOptions, tlsServerOptions } from './tls-options.ts'
import { type PeerVerification, verifyPeer } from './verify-peer.ts'

const HANDSHAKE_TIMEOUT_MS = 10_000

export interface TlsServerOptions extends PeerVerification {
  /** Who may connect. */
  readonly client: IdMatcher
  readonly alpnProtocols?: readonly string[] | undefined
  /** A connection whose peer is verified. For HTTP: `http.createServer(…).emit('connection', socket)`. */
  readonly onConnection: (socket: TLSSocket, peer: X509Svid) => void
  /** A connection that was closed before anything was read from it. */
  readonly onRefused?: ((error: Error, address: string | undefined) => void) | undefined
}

/**
 * A mutual TLS server that presents the SVID of the moment at each connection, and hands over only connections whose peer it
 * has verified against the bundle of the peer's own trust domain. Listen and close it like any `net.Server`.
 */
export function tlsServer(options: TlsServerOptions): Server {
  const { source, client, onConnection, onRefused } = options
  const server = createServer({
    ...tlsServerOptions(source),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    ...(options.alpnProtocols === undefined ? {} : { ALPNProtocols: [...options.alpnProtocols] }),
  })
  let presented = source.current().svid
  server.prependListener('connection', (socket: { destroy(): void; remoteAddress?: string }) => {
    try {
      const { svid } = source.current()
      if (svid === presented) return
      server.setSecureContext(contextOptions(svid))
      presented = svid
    } catch (error) {
      // Without an SVID there is nothing to present; an old one would be refused anyway.
      onRefused?.(error as Error, socket.remoteAddress)
      socket.destroy()
    }
  })
  server.on('tlsClientError', (error, socket) => onRefused?.(error, socket.remoteAddress))
  server.on('secureConnection', (socket) => {
    const address = socket.remoteAddress
    let handedOver = false
    // A peer that resets must not end the process; once handed over, its reset shows as the socket's end.
    socket.on('error', (error) => {
      if (!handedOver) onRefused?.(error, address)
    })
    verifyPeer(socket, client, options).then(
      (peer) => {
        if (socket.destroyed) return
        handedOver = true
        onConnection(socket, peer)
      },
      (error: Error) => {
        onRefused?.(error, address)
        socket.destroy()
      },
    )
  })
  return server
}
