import { Agent, type AgentOptions } from 'node:https'
import type { TcpNetConnectOpts } from 'node:net'
import type { ClientRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { clientConnections, type ReusingClientOptions } from './client-connections.ts'
import type { Connections } from './connections.ts'
import { connectTls, type TlsDestination } from './connect-tls.ts'
import { connectionOf, findConnection } from './peer-of.ts'
import { checkedClient } from './tls-client.ts'
import type { TlsSource } from './tls-source.ts'

export interface HttpsAgentOptions extends ReusingClientOptions {
  /** What else the agent goes by: `maxSockets`, `keepAliveMsecs`, … It keeps connections alive unless told otherwise. */
  readonly agent?: AgentOptions | undefined
}

/**
 * An agent for `https.request` and for libraries built on it. Each new connection presents the newest SVID, and no request is
 * written before its server is verified; one that is about to lose its proof is not used again.
 *
 * @example
 * ```ts
 * const agent = httpsAgent(source, { server: exactly('spiffe://example.org/orders') })
 * https.get('https://orders:8443/', { agent }, (answer) => answer.pipe(process.stdout))
 * ```
 */
export function httpsAgent(source: TlsSource, options: HttpsAgentOptions): Agent {
  return new SvidAgent(source, checkedClient(source, options))
}

type Created = (error: Error | null, stream: Duplex) => void

class SvidAgent extends Agent {
  readonly #source: TlsSource
  readonly #options: HttpsAgentOptions
  readonly #connections: Connections
  readonly #idle = new Set<object>()

  constructor(source: TlsSource, options: HttpsAgentOptions) {
    // First come, first served: Node would take the last one even where that has just been destroyed.
    super({ keepAlive: true, ...options.agent, scheduling: 'fifo' })
    this.#source = source
    this.#options = options
    this.#connections = clientConnections(options)
    // Before the agent hands the connection to a request that waits.
    this.prependListener('free', (socket: Duplex) => {
      if (findConnection(socket)?.isDraining === true) socket.destroy()
    })
  }

  override createConnection(options: ConnectionRequest, created: Created): undefined {
    this.#connect(options).then(
      (socket) => created(null, socket),
      (error: Error) => created(error, undefined as never),
    )
  }

  override keepSocketAlive(socket: Duplex): boolean {
    // The declaration says void; Node lets false destroy the socket.
    const keeps: unknown = super.keepSocketAlive(socket)
    if (keeps === false) return false
    this.#idle.add(socket)
    return true
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    this.#idle.delete(socket)
    super.reuseSocket(socket, request)
  }

  async #connect(request: ConnectionRequest): Promise<TLSSocket> {
    const { server, clock, timeoutMs } = this.#options
    const { socket } = await connectTls(this.#source, {
      to: destinationOf(request),
      server,
      clock,
      timeoutMs,
      alpnProtocols: ['http/1.1'],
      // The agent's word for "no name" is an empty one.
      servername: request.servername === '' ? undefined : request.servername,
      connections: this.#connections,
    })
    socket.once('close', () => this.#idle.delete(socket))
    connectionOf(socket).farewell = () => {
      if (this.#idle.has(socket)) socket.destroy()
    }
    return socket
  }
}

/** What an agent passes on of a request's options, as far as it says where to connect. */
interface ConnectionRequest extends Partial<TcpNetConnectOpts> {
  readonly path?: string | null
  readonly servername?: string
}

function destinationOf(request: ConnectionRequest): TlsDestination {
  const { host = 'localhost', port = 443, path, lookup, family, hints, localAddress, autoSelectFamily } = request
  if (typeof path === 'string') return { path }
  const how = { lookup, family, hints, localAddress, autoSelectFamily }
  return {
    host,
    port,
    ...Object.fromEntries(Object.entries(how).filter(([, value]) => value !== undefined)),
  }
}
