import { SallyportError } from '../../src/errors.ts'
import type { Peer } from '../../src/peer/peer.ts'
import type { Call, Connection } from '../../src/wire/call.ts'
import type { Client, ClientOptions, Transport } from '../../src/wire/client.ts'
import { codecOf } from '../../src/wire/codec.ts'
import { routesOf } from '../../src/wire/routes.ts'
import type { ServeOptions, WireServer } from '../../src/wire/serve.ts'
import type { MethodKind, Methods, Service } from '../../src/wire/service.ts'
import { Lane, type Link } from './lane.ts'
import type { SimulatedProcess } from './machine.ts'
import type { Random } from './random.ts'
import { ClientHalf, ServerHalf } from './simulated-call.ts'
import type { Trace } from './trace.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What passes by on the network, for whoever watches. */
export interface NetworkObserver {
  requestArrived?(from: SimulatedProcess, call: Call, bytes: Buffer): void
  /** A message has been handed to the network by a handler. */
  responseSent?(to: SimulatedProcess, call: Call, message: object): void
  /** A handler is done with a call, or the call was given up. */
  callEnded?(to: SimulatedProcess, call: Call): void
  responseArrived?(to: SimulatedProcess, method: string, bytes: Buffer): void
  requestSent?(from: SimulatedProcess, method: string, bytes: Buffer): void
}

export interface NetworkDeps {
  readonly time: VirtualTime
  readonly random: Random
  readonly trace: Trace
  readonly observer: NetworkObserver
}

/** How a client gets to a server: over which link, and as whom. */
export interface Route {
  readonly link: Link
  readonly address: string
  readonly client: SimulatedProcess
  /** Over a unix socket: what the kernel says about the client. */
  readonly peer?: Peer
  /** Over TLS. */
  readonly tls?: {
    readonly clientAddress: string
    readonly chain: readonly Buffer[] | undefined
    verify(presentedChain: readonly Buffer[]): Promise<void> | void
  }
}

interface Listener {
  readonly server: SimulatedWireServer
  readonly process: SimulatedProcess
  readonly credentials: (() => { readonly chain: readonly Buffer[] }) | undefined
}

const CONNECT_TIMEOUT_MS = 10_000
/** A ping after 30 s of silence, and 10 s for its answer. */
const KEEPALIVE_MS = 40_000
const POLL_MS = 10

/** Connections between the processes of a simulation, and everything that can go wrong with them. */
export class SimulatedNetwork {
  readonly deps: NetworkDeps
  readonly #listeners = new Map<string, Listener>()
  readonly #pipes = new Set<Pipe>()
  count = 0

  constructor(deps: NetworkDeps) {
    this.deps = deps
  }

  /** As `serve` of `src/wire`, for one process. */
  serveFor(process: SimulatedProcess): (options: ServeOptions) => WireServer {
    return (options) => new SimulatedWireServer(this, process, options)
  }

  /** As `openChannel` of `src/wire`. */
  connect(route: Route): Transport {
    return new SimulatedTransport(this, route)
  }

  listen(address: string, listener: Listener): void {
    const known = this.#listeners.get(address)
    if (known?.process.isAlive === true) throw new SallyportError('SOCKET_IN_USE', `Cannot listen on ${address}`)
    this.#listeners.set(address, listener)
  }

  unlisten(server: SimulatedWireServer): void {
    for (const [address, listener] of this.#listeners) if (listener.server === server) this.#listeners.delete(address)
  }

  listenerAt(address: string): Listener | undefined {
    const listener = this.#listeners.get(address)
    return listener?.process.isAlive === true ? listener : undefined
  }

  /** The chain that whoever connects to an address is shown now. */
  shownAt(address: string): readonly Buffer[] | undefined {
    const listener = this.listenerAt(address)
    return listener === undefined ? undefined : shownBy(listener)
  }

  open(pipe: Pipe): void {
    this.#pipes.add(pipe)
  }

  closed(pipe: Pipe): void {
    this.#pipes.delete(pipe)
  }

  /** Nothing gets through any more, and nobody is told: both ends find out by themselves when it lasts. */
  cutOff(link: Link): void {
    link.isDown = true
    for (const pipe of this.#pipes) if (pipe.link === link) pipe.expectSilence(() => link.isDown)
  }

  heal(link: Link): void {
    link.isDown = false
    for (const pipe of [...this.#pipes]) if (pipe.link === link) pipe.pump()
  }

  /** The process answers no pings. */
  frozen(process: SimulatedProcess): void {
    for (const pipe of this.#pipes) if (pipe.joins(process)) pipe.expectSilence(() => process.isFrozen)
  }

  /** A connection breaks: what is on its way is lost, both ends hear of it. */
  breakOne(link: Link, random: Random): boolean {
    const pipes = [...this.#pipes].filter((pipe) => pipe.link === link)
    if (pipes.length === 0) return false
    random.pick(pipes).breakDown()
    return true
  }

  /** After a kill the system closes what was open; after a loss of power nobody says anything. */
  ended(process: SimulatedProcess, isPowerLoss: boolean): void {
    for (const pipe of [...this.#pipes]) if (pipe.joins(process)) pipe.endOf(process, isPowerLoss)
  }
}

/** One connection: two lanes and two ends. */
export class Pipe {
  readonly link: Link
  readonly client: SimulatedProcess
  readonly server: SimulatedProcess
  readonly toServer: Lane
  readonly toClient: Lane
  readonly #network: SimulatedNetwork
  clientEnd: ClientEnd | undefined
  serverEnd: ServerEnd | undefined
  onRefused: ((why: string) => void) | undefined

  constructor(network: SimulatedNetwork, link: Link, client: SimulatedProcess, server: SimulatedProcess) {
    const { time, random } = network.deps
    this.#network = network
    this.link = link
    this.client = client
    this.server = server
    this.toServer = new Lane({ time, random, link }, server)
    this.toClient = new Lane({ time, random, link }, client)
    network.open(this)
  }

  joins(process: SimulatedProcess): boolean {
    return this.client === process || this.server === process
  }

  pump(): void {
    this.toServer.pump()
    this.toClient.pump()
  }

  /** The client's end is closed; the other hears of it later. */
  closeClient(): void {
    this.#clientGone()
    this.toServer.send(() => this.#serverGone())
  }

  closeServer(): void {
    this.#serverGone()
    this.toClient.send(() => this.#clientGone())
  }

  breakDown(): void {
    this.toServer.lose()
    this.toClient.lose()
    this.toServer.send(() => this.#serverGone())
    this.toClient.send(() => this.#clientGone())
  }

  expectSilence(isSilent: () => boolean): void {
    let wasInterrupted = false
    const check = (): void => {
      if (!isSilent()) wasInterrupted = true
    }
    const { time } = this.#network.deps
    for (let at = 1000; at < KEEPALIVE_MS; at += 1000) time.after(at, check)
    time.after(KEEPALIVE_MS, () => {
      if (wasInterrupted || !isSilent()) return
      // Each end for itself, without the other's help; a frozen one when it wakes up.
      this.toServer.lose()
      this.toClient.lose()
      this.client.run(() => this.#clientGone())
      this.server.run(() => this.#serverGone())
    })
  }

  endOf(process: SimulatedProcess, isPowerLoss: boolean): void {
    const { time } = this.#network.deps
    if (process === this.client) {
      if (isPowerLoss) time.after(KEEPALIVE_MS, () => this.server.run(() => this.#serverGone()))
      else this.toServer.send(() => this.#serverGone())
    } else if (isPowerLoss) time.after(KEEPALIVE_MS, () => this.client.run(() => this.#clientGone()))
    else this.toClient.send(() => this.#clientGone())
    if (!this.client.isAlive && !this.server.isAlive) this.#network.closed(this)
  }

  #clientGone(): void {
    const end = this.clientEnd
    this.clientEnd = undefined
    end?.lost()
    this.onRefused?.('it closed the connection')
    this.#forgetWhenGone()
  }

  #serverGone(): void {
    const end = this.serverEnd
    this.serverEnd = undefined
    this.toClient.release()
    end?.lost()
    this.#forgetWhenGone()
  }

  #forgetWhenGone(): void {
    const isClientGone = this.clientEnd === undefined || !this.client.isAlive
    const isServerGone = this.serverEnd === undefined || !this.server.isAlive
    if (isClientGone && isServerGone) this.#network.closed(this)
  }
}

/** The calls of one connection at its client. */
class ClientEnd {
  readonly pipe: Pipe
  readonly #network: SimulatedNetwork
  readonly #calls = new Map<number, ClientHalf>()
  readonly #onLost: () => void
  #count = 0
  isLost = false

  constructor(network: SimulatedNetwork, pipe: Pipe, onLost: () => void) {
    this.#network = network
    this.pipe = pipe
    this.#onLost = onLost
  }

  call(service: Service, name: string, options: ClientOptions): ClientHalf {
    const id = ++this.#count
    const codec = codecOf(service, name)
    const { pipe } = this
    const { trace, observer } = this.#network.deps
    const metadata = new Map(Object.entries(options.metadata ?? {}).map(([key, value]) => [key, [value]]))
    const start = { id, method: codec.path, metadata, timeoutMs: options.timeoutMs }
    const label = `${pipe.client.name}>${pipe.server.name} ${name}`
    pipe.toServer.send(() => {
      trace.add(`${label} starts`)
      pipe.serverEnd?.start(start)
    })
    const wires = {
      send: (bytes: Buffer): void => {
        observer.requestSent?.(pipe.client, codec.path, bytes)
        pipe.toServer.send(() => {
          trace.add(`${label} request`)
          pipe.serverEnd?.request(id, bytes)
        })
      },
      end: (): void => pipe.toServer.send(() => pipe.serverEnd?.requestsEnded(id)),
      cancel: (): void => {
        this.#calls.delete(id)
        pipe.toServer.send(() => {
          trace.add(`${label} cancelled`)
          pipe.serverEnd?.cancelled(id)
        })
      },
    }
    const half = new ClientHalf(codec, wires, options, pipe.client)
    this.#calls.set(id, half)
    return half
  }

  response(id: number, bytes: Buffer): void {
    this.#calls.get(id)?.arrived(bytes)
  }

  ended(id: number, status: Parameters<ClientHalf['ended']>[0]): void {
    this.#calls.get(id)?.ended(status)
    this.#calls.delete(id)
  }

  lost(): void {
    this.isLost = true
    this.#onLost()
    for (const call of this.#calls.values()) call.lost()
    this.#calls.clear()
  }
}

interface Start {
  readonly id: number
  readonly method: string
  readonly metadata: ReadonlyMap<string, readonly string[]>
  readonly timeoutMs: number | undefined
}

/** The calls of one connection at its server. */
class ServerEnd {
  readonly connection: Connection
  readonly pipe: Pipe
  readonly #server: SimulatedWireServer
  readonly #calls = new Map<number, ServerHalf>()
  readonly #closed: AbortController

  constructor(server: SimulatedWireServer, pipe: Pipe, connection: Connection, closed: AbortController) {
    this.#server = server
    this.pipe = pipe
    this.connection = connection
    this.#closed = closed
  }

  get openCalls(): number {
    return this.#calls.size
  }

  start({ id, method, metadata, timeoutMs }: Start): void {
    const { pipe, connection } = this
    const { trace, observer } = this.#server.network.deps
    const label = `${pipe.client.name}<${pipe.server.name} ${method.slice(method.lastIndexOf('/') + 1)}`
    const call: ServerHalf = new ServerHalf({
      ...{ connection, method, metadata, timeoutMs, process: pipe.server, options: this.#server.options },
      requestId: `${connection.id}-${id}`,
      route: this.#server.routes.get(method),
      respond: (bytes, message) => {
        if (!pipe.server.isAlive) return undefined
        observer.responseSent?.(pipe.client, call, message)
        pipe.toClient.send(() => {
          trace.add(`${label} response`)
          observer.responseArrived?.(pipe.client, method, bytes)
          pipe.clientEnd?.response(id, bytes)
        })
        return pipe.toClient.full
      },
      finish: (status) => {
        this.#calls.delete(id)
        observer.callEnded?.(pipe.client, call)
        pipe.toClient.send(() => {
          trace.add(`${label} ${status.name} ${status.trailers['sallyport-code'] ?? ''}`)
          if (status.number !== 0) trace.remark(status.message)
          pipe.clientEnd?.ended(id, status)
        })
      },
    })
    if (this.#server.isDraining) return call.abort(shuttingDown())
    this.#calls.set(id, call)
    void call.run()
  }

  request(id: number, bytes: Buffer): void {
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#server.network.deps.observer.requestArrived?.(this.pipe.client, call, bytes)
    call.arrived(bytes)
  }

  requestsEnded(id: number): void {
    this.#calls.get(id)?.requestsEnded()
  }

  cancelled(id: number): void {
    const call = this.#calls.get(id)
    if (call === undefined) return
    this.#calls.delete(id)
    this.#server.network.deps.observer.callEnded?.(this.pipe.client, call)
    call.cancelled()
  }

  lost(): void {
    this.#server.forget(this)
    this.#closed.abort(new SallyportError('CALL_CANCELLED', 'The connection is closed'))
    for (const id of [...this.#calls.keys()]) this.cancelled(id)
  }

  drain(): void {
    for (const call of [...this.#calls.values()]) if (call.isStream) call.abort(shuttingDown())
  }

  end(): void {
    for (const call of [...this.#calls.values()]) call.abort(shuttingDown())
  }
}

/** Services on the simulated network. */
class SimulatedWireServer implements WireServer {
  readonly network: SimulatedNetwork
  readonly options: ServeOptions
  readonly routes: ReturnType<typeof routesOf>
  readonly #process: SimulatedProcess
  readonly #ends = new Map<Connection, ServerEnd>()
  isDraining = false

  constructor(network: SimulatedNetwork, process: SimulatedProcess, options: ServeOptions) {
    this.network = network
    this.#process = process
    this.options = options
    this.routes = routesOf(options.implementations)
  }

  get connections(): ReadonlySet<Connection> {
    return new Set(this.#ends.keys())
  }

  async listenUnix(path: string): Promise<void> {
    this.network.listen(path, { server: this, process: this.#process, credentials: undefined })
  }

  async listenTls(
    { host, port }: { readonly host: string; readonly port: number },
    { credentials }: { readonly credentials: () => { readonly chain: readonly Buffer[] } },
  ): Promise<{ readonly port: number }> {
    this.network.listen(`${host}:${port}`, { server: this, process: this.#process, credentials })
    return { port }
  }

  disconnect(connection: Connection): void {
    this.#ends.get(connection)?.pipe.closeServer()
  }

  async drain(timeoutMs: number): Promise<void> {
    if (this.isDraining) return
    this.isDraining = true
    this.network.unlisten(this)
    for (const end of this.#ends.values()) end.drain()
    const { clock } = this.#process
    const endMs = clock.monotonicMs() + timeoutMs
    while ([...this.#ends.values()].some(({ openCalls }) => openCalls > 0) && clock.monotonicMs() < endMs) {
      await clock.sleep(POLL_MS)
    }
    for (const end of this.#ends.values()) end.end()
    await clock.sleep(POLL_MS)
    for (const end of [...this.#ends.values()]) end.pipe.closeServer()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(1000)
  }

  accept(pipe: Pipe, route: Route): void {
    const closed = new AbortController()
    const id = `${this.#process.name}-${++this.network.count}`
    const connection: Connection =
      route.peer !== undefined
        ? { transport: 'unix', id, peer: route.peer, closed: closed.signal }
        : {
            transport: 'tls',
            id,
            address: route.tls?.clientAddress ?? '',
            presentedChain: route.tls?.chain,
            closed: closed.signal,
          }
    const end = new ServerEnd(this, pipe, connection, closed)
    pipe.serverEnd = end
    this.#ends.set(connection, end)
  }

  forget(end: ServerEnd): void {
    this.#ends.delete(end.connection)
  }
}

/** As a channel: connects when first used, and again after the connection was lost. */
class SimulatedTransport implements Transport {
  readonly #network: SimulatedNetwork
  readonly #route: Route
  readonly #ends = new Set<ClientEnd>()
  readonly #closed = new AbortController()
  #current: Promise<ClientEnd> | undefined

  constructor(network: SimulatedNetwork, route: Route) {
    this.#network = network
    this.#route = route
  }

  client<M extends Methods>(service: Service<M>): Client<Service<M>> {
    const methods = Object.entries(service.methods).map(([key, { name, kind }]) => [
      key,
      this.#method(service, name, kind),
    ])
    return Object.fromEntries(methods) as Client<Service<M>>
  }

  async close(): Promise<void> {
    this.#closed.abort(new SallyportError('SHUTTING_DOWN', 'The channel is closed'))
    for (const end of [...this.#ends]) end.pipe.closeClient()
  }

  #method(service: Service, name: string, kind: MethodKind): unknown {
    const open = async (request: unknown, options: ClientOptions = {}): Promise<ClientHalf> => {
      const end = await this.#connected(options)
      const call = end.call(service, name, options)
      if (kind === 'unary' || kind === 'serverStream') call.sendOne(request)
      else void call.sendAll(request as AsyncIterable<unknown>)
      return call
    }
    if (kind === 'unary' || kind === 'clientStream') {
      return async (request: unknown, options?: ClientOptions) => (await open(request, options)).response()
    }
    return async function* (request: unknown, options?: ClientOptions) {
      yield* (await open(request, options)).responses()
    }
  }

  async #connected({ signal, timeoutMs }: ClientOptions): Promise<ClientEnd> {
    this.#closed.signal.throwIfAborted()
    signal?.throwIfAborted()
    this.#current ??= this.#connect()
    const { promise, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => reject(signal?.reason as Error)
    signal?.addEventListener('abort', onAbort, { once: true })
    const late = (): SallyportError => new SallyportError('DEADLINE_EXCEEDED', `No connection within ${timeoutMs} ms`)
    const { clock } = this.#route.client
    const timer = timeoutMs === undefined ? undefined : clock.timer(timeoutMs, () => reject(late()))
    try {
      const end = await Promise.race([this.#current, promise])
      if (!end.isLost) return end
      this.#current = this.#connect()
      return await Promise.race([this.#current, promise])
    } finally {
      timer?.[Symbol.dispose]()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #connect(): Promise<ClientEnd> {
    const opening: Promise<ClientEnd> = this.#open().then((end) => {
      this.#ends.add(end)
      return end
    })
    opening.catch(() => this.#forget(opening))
    return opening
  }

  #forget(opening: Promise<ClientEnd>): void {
    if (this.#current === opening) this.#current = undefined
  }

  /** Asks, is shown a chain, judges it, shows its own. */
  #open(): Promise<ClientEnd> {
    const { time, random, trace } = this.#network.deps
    const { link, client, address, tls } = this.#route
    return new Promise((resolve, reject) => {
      const refuse = (why: string): void => {
        timer[Symbol.dispose]()
        reject(new SallyportError('UNREACHABLE', `Cannot connect to ${address}: ${why}`))
      }
      const timer = client.clock.timer(CONNECT_TIMEOUT_MS, () => refuse(`no answer within ${CONNECT_TIMEOUT_MS} ms`))
      this.#closed.signal.addEventListener('abort', () => refuse('the channel is closed'), { once: true })
      const delay = (): number => random.between(link.minMs, link.maxMs)
      time.after(delay(), () => {
        if (link.isDown) return
        const listener = this.#network.listenerAt(address)
        trace.add(`${client.name}>${listener?.process.name ?? 'nobody'} connects`)
        if (listener === undefined) return void client.after(delay(), () => refuse('nobody listens there'))
        const pipe = new Pipe(this.#network, link, client, listener.process)
        pipe.onRefused = refuse
        const opened = (): void => {
          timer[Symbol.dispose]()
          if (this.#closed.signal.aborted) return pipe.closeClient()
          pipe.onRefused = undefined
          const end = new ClientEnd(this.#network, pipe, () => {
            this.#ends.delete(end)
            this.#current = undefined
          })
          pipe.clientEnd = end
          pipe.toServer.send(() => listener.server.accept(pipe, this.#route))
          resolve(end)
        }
        const greet = (): void => {
          const chain = shownBy(listener)
          if (chain === undefined) return pipe.closeServer()
          pipe.toClient.send(() => {
            Promise.resolve(tls?.verify(chain)).then(opened, (error: unknown) => {
              timer[Symbol.dispose]()
              reject(error as Error)
              pipe.closeClient()
            })
          })
        }
        listener.process.run(greet)
      })
    })
  }
}

/** What a listener shows to whoever connects; undefined when it has nothing to show. */
function shownBy({ credentials }: Listener): readonly Buffer[] | undefined {
  try {
    return credentials?.().chain ?? []
  } catch (error) {
    if (error instanceof SallyportError) return undefined
    throw error
  }
}

const shuttingDown = (): SallyportError => new SallyportError('SHUTTING_DOWN', 'The process is shutting down')
