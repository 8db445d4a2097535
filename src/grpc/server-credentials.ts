import { ServerCredentials } from '@grpc/grpc-js'
import type { TLSSocket } from 'node:tls'
import { bearsConnection, findConnection } from '../tls/peer-of.ts'
import { tlsServer, type TlsServerOptions } from '../tls/tls-server.ts'
import type { TlsSource } from '../tls/tls-source.ts'

/**
 * Credentials for `server.bindAsync` of grpc-js. The server presents the newest SVID to each connection and lets in only
 * verified peers that `allow` matches; `peerOf(call)` says who calls. A connection that retires is ended by GOAWAY.
 *
 * @throws {@link SallyportError} when the source holds no SVID at the moment
 * @example
 * ```ts
 * server.bindAsync('0.0.0.0:8443', serverCredentials(source, { allow: memberOf('example.org') }), started)
 * ```
 */
export function serverCredentials(source: TlsSource, options: TlsServerOptions): ServerCredentials {
  return new SvidServerCredentials(source, {
    ...options,
    admit: (peer, socket) => {
      options.admit?.(peer, socket)
      leadFromCertificate(socket)
    },
  })
}

class SvidServerCredentials extends ServerCredentials {
  constructor(source: TlsSource, options: TlsServerOptions) {
    const { key, cert, ca, minVersion, secureOptions, ...server } = tlsServer(source, options)
    // In two parts, as grpc-js keeps them; it spreads both into the options of its HTTP/2 server.
    super(server, { key, cert, ca, minVersion, secureOptions } as ConstructorParameters<typeof ServerCredentials>[1])
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other
  }
}

/** A call of grpc-js shows the peer's certificate and not the socket, so the certificate leads to the connection. */
function leadFromCertificate(socket: TLSSocket): void {
  const read = socket.getPeerCertificate.bind(socket)
  let shown: object | undefined
  const getPeerCertificate = (isDetailed = false): object => {
    if (isDetailed) return read(true)
    shown ??= read()
    const connection = findConnection(socket)
    if (connection !== undefined) bearsConnection(shown, connection)
    return shown
  }
  Object.assign(socket, { getPeerCertificate })
}
