import { constants, performServerHandshake, type ServerHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import { SallyportError } from '../errors.ts'
import type { Connection } from './call.ts'
import { ServerCall, type CallContext } from './server-call.ts'

/** Counts open calls of somebody; says whether one more may start. */
export interface StreamBudget {
  take(): boolean
  give(): void
}

/** HTTP/2 on one accepted connection, and the calls on it. */
export class ServerSession {
  readonly connection: Connection
  readonly #session: ServerHttp2Session
  readonly #context: CallContext
  readonly #budget: StreamBudget | undefined
  readonly #calls = new Set<ServerCall>()
  #count = 0
  #keepalive: Disposable | undefined

  constructor(duplex: Duplex, connection: Connection, context: CallContext, budget?: StreamBudget) {
    const { limits } = context
    this.connection = connection
    this.#context = context
    this.#budget = budget
    this.#session = performServerHandshake(duplex, {
      maxSessionMemory: limits.sessionMemoryMib,
      // A name and a value each, beside the limit on their bytes.
      maxHeaderListPairs: 128,
      maxOutstandingPings: 10,
      settings: { maxConcurrentStreams: limits.streamsPerConnection, maxHeaderListSize: limits.headerListBytes },
    } as Parameters<typeof performServerHandshake>[1])
    // Without handlers an error of one client would end the process.
    duplex.on('error', (error) => this.#report(error))
    this.#session.on('error', (error) => this.#report(error))
    this.#session.on('frameError', () => this.#session.destroy())
    this.#session.on('stream', (stream, headers, _flags, rawHeaders) => {
      stream.on('error', (error) => this.#report(error))
      // Opened and reset in one breath: there is nobody to answer.
      if (stream.destroyed || stream.closed) return
      const answer = httpProblemOf(headers)
      if (answer === undefined) this.#serve(new ServerCall(stream, headers, rawHeaders, this.#given()), stream)
      else stream.respond({ ':status': answer }, { endStream: true })
    })
    this.#session.on('close', () => this.#keepalive?.[Symbol.dispose]())
    this.#scheduleKeepalive()
  }

  get openCalls(): number {
    return this.#calls.size
  }

  /** Takes no new calls, ends streams with UNAVAILABLE, lets single answers finish. */
  drain(): void {
    this.#session.close()
    for (const call of this.#calls) if (call.isStream) call.abort(shuttingDown())
  }

  /** Ends what is left, then the connection. */
  end(): void {
    for (const call of this.#calls) call.abort(shuttingDown())
  }

  destroy(): void {
    this.#session.destroy()
  }

  #given(): ConstructorParameters<typeof ServerCall>[3] {
    this.#count += 1
    return { connection: this.connection, requestId: `${this.connection.id}-${this.#count}`, context: this.#context }
  }

  #serve(call: ServerCall, stream: { on(event: 'close', listener: () => void): unknown }): void {
    this.#calls.add(call)
    if (this.#budget?.take() === false) {
      stream.on('close', () => this.#calls.delete(call))
      call.abort(new SallyportError('CALL_LIMIT', 'Cannot serve the call: this user has too many calls open'))
      return
    }
    stream.on('close', () => {
      this.#calls.delete(call)
      this.#budget?.give()
    })
    void call.run()
  }

  /** A client that vanished without a word (a node without power, a lost route) must not hold its streams for ever. */
  #scheduleKeepalive(): void {
    const { clock, limits } = this.#context
    this.#keepalive = clock.timer(limits.keepaliveMs, () => {
      if (this.#session.destroyed) return
      const late = clock.timer(limits.keepaliveTimeoutMs, () => this.#session.destroy())
      this.#keepalive = late
      this.#session.ping((error) => {
        late[Symbol.dispose]()
        if (error === null) this.#scheduleKeepalive()
      })
    })
  }

  #report(error: Error): void {
    this.#context.log.debug({ err: error, connectionId: this.connection.id }, 'Connection or stream failed')
  }
}

const shuttingDown = (): SallyportError => new SallyportError('SHUTTING_DOWN', 'The process is shutting down')

/** What plain HTTP answers to something that is not a gRPC call. */
function httpProblemOf(headers: Readonly<Record<string, unknown>>): number | undefined {
  if (headers[':method'] !== 'POST') return constants.HTTP_STATUS_METHOD_NOT_ALLOWED
  const type = headers['content-type']
  return typeof type === 'string' && /^application\/grpc(\+proto)?($|;)/.test(type)
    ? undefined
    : constants.HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE
}
