import { CallCredentials, ChannelCredentials, type experimental } from '@grpc/grpc-js'
import type { Socket } from 'node:net'
import { connectTls } from '../tls/connect-tls.ts'
import { Connections } from '../tls/connections.ts'
import { checkedClient, type TlsClientOptions } from '../tls/tls-client.ts'
import type { TlsSource } from '../tls/tls-source.ts'

/**
 * Credentials for the clients and channels of grpc-js. Each new connection presents the newest SVID, and no call is written
 * before the server is verified. A connection whose server says GOAWAY is replaced without a call failing.
 *
 * @example
 * ```ts
 * const client = new OrdersClient('orders:8443', channelCredentials(source, { server: exactly('spiffe://example.org/orders') }))
 * ```
 */
export function channelCredentials(source: TlsSource, options: TlsClientOptions): ChannelCredentials {
  return new SvidChannelCredentials(source, checkedClient(source, options))
}

type SecureConnector = experimental.SecureConnector

class SvidChannelCredentials extends ChannelCredentials {
  readonly #source: TlsSource
  readonly #options: TlsClientOptions
  readonly #connections: Connections

  constructor(source: TlsSource, options: TlsClientOptions) {
    super()
    this.#source = source
    this.#options = options
    this.#connections = new Connections({ clock: options.clock })
  }

  override _isSecure(): boolean {
    return true
  }

  /** Clients with equal credentials share connections. */
  override _equals(other: ChannelCredentials): boolean {
    return this === other
  }

  override _createSecureConnector(
    _target: unknown,
    _options: unknown,
    callCredentials: CallCredentials = CallCredentials.createEmpty(),
  ): SecureConnector {
    return {
      connect: (socket) => this.#connect(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => callCredentials,
      destroy: () => {},
    }
  }

  async #connect(connection: Socket): ReturnType<SecureConnector['connect']> {
    const { server, clock } = this.#options
    const { socket } = await connectTls(this.#source, {
      to: { connection },
      server,
      clock,
      alpnProtocols: ['h2'],
      connections: this.#connections,
    })
    return { socket, secure: true }
  }
}
