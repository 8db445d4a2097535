import { randomBytes } from 'node:crypto'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { systemClock, type Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { silentLog, type Log } from '../log/log.ts'
import type { Call, Connection } from './call.ts'
import type { Implementation } from './implementation.ts'
import { defaultLimits, type WireLimits } from './limits.ts'
import { listenTls, LOCAL, type TlsAddress, type TlsListenOptions } from './listen-tls.ts'
import { listenUnix, type UnixListenOptions } from './listen-unix.ts'
import { routesOf } from './routes.ts'
import type { CallContext } from './server-call.ts'
import { ServerSession, type StreamBudget } from './server-session.ts'
import { UidBudget } from './uid-budget.ts'

export interface ServeOptions {
  readonly implementations: readonly Implementation[]
  /** Authorises, limits rates, …: throws to refuse. Runs before every call, those of unknown methods too. */
  readonly before?: ((call: Call) => Promise<void>) | undefined
  /** Called once for each call when it has ended. Unknown methods are all called `unknown`. */
  readonly recordCall?: ((method: string, status: string, durationMs: number) => void) | undefined
  readonly log?: Log | undefined
  readonly clock?: Clock | undefined
  readonly limits?: Partial<WireLimits> | undefined
}

/** Services on sockets. */
export interface WireServer extends AsyncDisposable {
  /**
   * @param path absolute, at most 107 bytes, in a folder that others cannot write
   * @throws {@link SallyportError} `SOCKET_PATH_UNSAFE`, `SOCKET_IN_USE`
   */
  listenUnix(path: string, options: UnixListenOptions): Promise<void>
  /**
   * @returns port 0 for a unix socket
   * @throws {@link SallyportError} `SOCKET_IN_USE`, `ADDRESS_UNUSABLE`, `SOCKET_PATH_UNSAFE`
   */
  listenTls(address: TlsAddress, options: TlsListenOptions): Promise<{ readonly port: number }>
  /** Those that are open now. */
  readonly connections: ReadonlySet<Connection>
  /** Closes one connection at once; its calls end. */
  disconnect(connection: Connection): void
  /**
   * Stops accepting, ends streams with UNAVAILABLE (the one code after which every client comes back), lets single calls
   * finish within the time, then closes everything.
   */
  drain(timeoutMs: number): Promise<void>
}

/** Serves these services; listens nowhere yet. */
export function serve(options: ServeOptions): WireServer {
  return new SocketServer(options)
}

class SocketServer implements WireServer {
  readonly #context: CallContext
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Map<Connection, ServerSession>()
  readonly #prefix = randomBytes(4).toString('hex')
  #count = 0
  #draining = false

  constructor(options: ServeOptions) {
    this.#context = {
      routes: routesOf(options.implementations),
      before: options.before,
      recordCall: options.recordCall,
      log: options.log ?? silentLog,
      clock: options.clock ?? systemClock,
      limits: { ...defaultLimits, ...options.limits },
    }
  }

  get connections(): ReadonlySet<Connection> {
    return new Set(this.#sessions.keys())
  }

  async listenUnix(path: string, options: UnixListenOptions): Promise<void> {
    const { log, clock, limits } = this.#context
    const budget = new UidBudget(limits)
    const server = await listenUnix(path, options, {
      log,
      clock,
      budget,
      accept: (duplex, socket, peer) => {
        const connection: Connection = { transport: 'unix', id: this.#nextId(), peer, closed: closedOf(socket) }
        this.#open(duplex, socket, connection, budget.streamsOf(peer.uid))
      },
    })
    this.#track(server)
  }

  async listenTls(address: TlsAddress, options: TlsListenOptions): Promise<{ readonly port: number }> {
    const { log, clock, limits } = this.#context
    const { server, port } = await listenTls(address, options, {
      log,
      clock,
      limits,
      accept: (socket, presentedChain) => {
        const ip = 'unix' in address ? LOCAL : (socket.remoteAddress ?? '')
        const closed = closedOf(socket)
        this.#open(socket, socket, { transport: 'tls', id: this.#nextId(), address: ip, presentedChain, closed })
      },
    })
    this.#track(server)
    return { port }
  }

  disconnect(connection: Connection): void {
    this.#sessions.get(connection)?.destroy()
  }

  async drain(timeoutMs: number): Promise<void> {
    if (this.#draining) return
    this.#draining = true
    const closed = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)))
    for (const session of this.#sessions.values()) session.drain()
    await this.#emptyWithin(timeoutMs)
    for (const session of this.#sessions.values()) session.end()
    // The last answers get a moment to leave; a client that does not read cannot hold us longer.
    await this.#emptyWithin(Math.min(timeoutMs, LAST_WORDS_MS))
    for (const session of this.#sessions.values()) session.destroy()
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(closed)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(1000)
  }

  /** Sockets are known from the start, while they still shake hands. */
  #track(server: Server): void {
    this.#servers.push(server)
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  #nextId(): string {
    this.#count += 1
    return `${this.#prefix}-${this.#count.toString(36)}`
  }

  #open(duplex: Duplex, socket: Socket, connection: Connection, budget?: StreamBudget): void {
    if (this.#draining || this.#sessions.size >= this.#context.limits.connections) {
      this.#context.log.warn({ connections: this.#sessions.size }, 'Refused connection: there are too many')
      socket.destroy()
      return
    }
    this.#sessions.set(connection, new ServerSession(duplex, connection, this.#context, budget))
    socket.on('close', () => this.#sessions.delete(connection))
  }

  async #emptyWithin(timeoutMs: number): Promise<void> {
    const { clock } = this.#context
    const endMs = clock.monotonicMs() + timeoutMs
    while (this.#sessions.size > 0 && clock.monotonicMs() < endMs) await clock.sleep(POLL_MS)
  }
}

const LAST_WORDS_MS = 200
const POLL_MS = 10

const connectionClosed = new SallyportError('CALL_CANCELLED', 'The connection is closed')

function closedOf(socket: Socket): AbortSignal {
  const closed = new AbortController()
  socket.on('close', () => closed.abort(connectionClosed))
  return closed.signal
}
