import { SallyportError } from '../../src/errors.ts'
import type { Call, Connection } from '../../src/wire/call.ts'
import type { ClientOptions } from '../../src/wire/client.ts'
import type { MethodCodec } from '../../src/wire/codec.ts'
import type { Route } from '../../src/wire/routes.ts'
import type { ServeOptions } from '../../src/wire/serve.ts'
import { fromStatus, isDeliberate, okStatus, toStatus, type Status } from '../../src/wire/status.ts'
import type { SimulatedProcess } from './machine.ts'

/** What arrives, for whoever waits for it; ends with undefined or with an error. */
class Inbox<T> {
  #items: T[] = []
  #end: { readonly error: unknown } | undefined
  #wake: (() => void) | undefined

  push(item: T): void {
    if (this.#end !== undefined) return
    this.#items.push(item)
    this.#wake?.()
  }

  /** What came before is still read. */
  end(error?: unknown): void {
    this.#end ??= { error }
    this.#wake?.()
  }

  /** What came before is lost. */
  break(error: unknown): void {
    this.#items = []
    this.#end = { error }
    this.#wake?.()
  }

  async next(): Promise<T | undefined> {
    for (;;) {
      const item = this.#items.shift()
      if (item !== undefined) return item
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error
        return undefined
      }
      await new Promise<void>((resolve) => (this.#wake = resolve))
      this.#wake = undefined
    }
  }
}

// A message that is sent to many (a heartbeat, a bundle) is encoded once; messages never change once they are sent.
const encoded = new WeakMap<object, Buffer>()

export function encodeResponse(codec: MethodCodec, message: object): Buffer {
  let bytes = encoded.get(message)
  if (bytes === undefined) encoded.set(message, (bytes = codec.encodeResponse(message)))
  return bytes
}

/** How the client's half of a call reaches the other. */
export interface Wires {
  send(bytes: Buffer): void
  end(): void
  cancel(): void
}

/** A call as its client sees it. */
export class ClientHalf {
  readonly #inbox = new Inbox<Buffer>()
  readonly #codec: MethodCodec
  readonly #wires: Wires
  readonly #closers: (() => void)[] = []
  #isOver = false

  constructor(codec: MethodCodec, wires: Wires, options: ClientOptions, process: SimulatedProcess) {
    this.#codec = codec
    this.#wires = wires
    const { signal, timeoutMs } = options
    if (signal !== undefined) {
      const onAbort = (): void => this.cancel(signal.reason)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#closers.push(() => signal.removeEventListener('abort', onAbort))
      if (signal.aborted) onAbort()
    }
    if (timeoutMs !== undefined) {
      const late = (): SallyportError => new SallyportError('DEADLINE_EXCEEDED', `No answer within ${timeoutMs} ms`)
      const timer = process.clock.timer(timeoutMs, () => this.cancel(late()))
      this.#closers.push(() => timer[Symbol.dispose]())
    }
  }

  get isOver(): boolean {
    return this.#isOver
  }

  arrived(bytes: Buffer): void {
    this.#inbox.push(bytes)
  }

  ended(status: Status): void {
    if (status.number === 0) this.#inbox.end()
    else this.#inbox.end(fromStatus(status.number, status.message, (name) => status.trailers[name]))
    this.#over()
  }

  lost(): void {
    this.#inbox.end(new SallyportError('UNREACHABLE', `The connection was lost during ${this.#codec.path}`))
    this.#over()
  }

  cancel(reason: unknown): void {
    if (this.#isOver) return
    this.#inbox.break(reason)
    this.#wires.cancel()
    this.#over()
  }

  sendOne(message: unknown): void {
    if (this.#isOver) return
    this.#wires.send(this.#codec.encodeRequest(message))
    this.#wires.end()
  }

  async sendAll(messages: AsyncIterable<unknown>): Promise<void> {
    try {
      for await (const message of messages) {
        if (this.#isOver) return
        this.#wires.send(this.#codec.encodeRequest(message))
      }
      if (!this.#isOver) this.#wires.end()
    } catch (error) {
      this.cancel(error)
    }
  }

  async *responses(): AsyncGenerator {
    try {
      for (let bytes = await this.#inbox.next(); bytes !== undefined; bytes = await this.#inbox.next()) {
        yield this.#codec.decodeResponse(bytes)
      }
    } finally {
      if (!this.#isOver) this.cancel(new SallyportError('CALL_CANCELLED', 'The reader stopped'))
    }
  }

  async response(): Promise<unknown> {
    for await (const response of this.responses()) return response
    throw new SallyportError('PROTOCOL_INVALID', `${this.#codec.path} answered without a message`)
  }

  #over(): void {
    this.#isOver = true
    for (const close of this.#closers.splice(0)) close()
  }
}

export interface ServerHalfGiven {
  readonly connection: Connection
  readonly requestId: string
  readonly method: string
  readonly metadata: ReadonlyMap<string, readonly string[]>
  readonly timeoutMs: number | undefined
  readonly process: SimulatedProcess
  readonly options: ServeOptions
  readonly route: Route | undefined
  /** Returns a promise when the client is slow: for the moment when it may be given more. */
  readonly respond: (bytes: Buffer, message: object) => Promise<void> | undefined
  readonly finish: (status: Status) => void
}

/** A call as the functions that serve it see it. The same steps as on a real socket. */
export class ServerHalf implements Call {
  readonly connection: Connection
  readonly requestId: string
  readonly method: string
  readonly metadata: ReadonlyMap<string, readonly string[]>
  readonly #given: ServerHalfGiven
  readonly #inbox = new Inbox<Buffer>()
  readonly #abort = new AbortController()
  #isOver = false
  #deadline: Disposable | undefined

  constructor(given: ServerHalfGiven) {
    this.#given = given
    this.connection = given.connection
    this.requestId = given.requestId
    this.method = given.method
    this.metadata = given.metadata
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  get isStream(): boolean {
    return this.#given.route?.kind === 'serverStream' || this.#given.route?.kind === 'bidi'
  }

  get isOver(): boolean {
    return this.#isOver
  }

  arrived(bytes: Buffer): void {
    this.#inbox.push(bytes)
  }

  requestsEnded(): void {
    this.#inbox.end()
  }

  /** The client cancelled, or the connection is gone. */
  cancelled(): void {
    this.#isOver = true
    this.#deadline?.[Symbol.dispose]()
    const why = new SallyportError('CALL_CANCELLED', 'The caller cancelled the call or went away')
    if (!this.#abort.signal.aborted) this.#abort.abort(why)
    this.#inbox.break(this.#abort.signal.reason)
  }

  abort(error: SallyportError): void {
    if (this.#isOver) return
    this.#end(toStatus(error, this.requestId))
    this.#abort.abort(error)
    this.#inbox.break(error)
  }

  async run(): Promise<void> {
    const { options, route, process, timeoutMs } = this.#given
    try {
      if (timeoutMs !== undefined) {
        const late = (): SallyportError =>
          new SallyportError('DEADLINE_EXCEEDED', 'The deadline of the call has passed')
        this.#deadline = process.clock.timer(timeoutMs, () => this.abort(late()))
      }
      await options.before?.(this)
      if (route?.handler === undefined) {
        throw new SallyportError('METHOD_UNIMPLEMENTED', `Cannot call ${this.method}: it is not offered here`)
      }
      await this.#serve(route)
      this.#end(okStatus)
    } catch (error) {
      this.#fail(error)
    }
  }

  async #serve(route: Route): Promise<void> {
    const codec = route.codec
    const isSingle = route.kind === 'unary' || route.kind === 'serverStream'
    const request = isSingle
      ? codec.decodeRequest((await this.#inbox.next()) ?? Buffer.alloc(0))
      : this.#requests(codec)
    if (route.kind === 'unary' || route.kind === 'clientStream') {
      const handler = route.handler as (request: unknown, call: Call) => Promise<object>
      void this.#respond(codec, await handler(request, this))
      return
    }
    const handler = route.handler as (request: unknown, call: Call) => AsyncIterable<object>
    for await (const response of handler(request, this)) {
      if (this.#isOver) return
      const isFull = this.#respond(codec, response)
      if (isFull !== undefined) await isFull
    }
  }

  async *#requests(codec: MethodCodec): AsyncGenerator {
    for (let bytes = await this.#inbox.next(); bytes !== undefined; bytes = await this.#inbox.next()) {
      yield codec.decodeRequest(bytes)
    }
  }

  #respond(codec: MethodCodec, message: object): Promise<void> | undefined {
    return this.#isOver ? undefined : this.#given.respond(encodeResponse(codec, message), message)
  }

  #fail(error: unknown): void {
    if (this.#isOver) return
    const cause: unknown = this.#abort.signal.aborted ? this.#abort.signal.reason : error
    if (!isDeliberate(cause)) this.#given.options.log?.error({ err: cause, method: this.method }, 'Call failed')
    this.#end(toStatus(cause, this.requestId))
    this.#abort.abort(cause)
  }

  #end(status: Status): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#deadline?.[Symbol.dispose]()
    this.#given.finish(status)
  }
}
