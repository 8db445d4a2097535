import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { Call, Connection } from './call.ts'
import { metadataOf, timeoutOf } from './call-headers.ts'
import { contentOf, encodeFrame, FrameReader } from './frames.ts'
import type { WireLimits } from './limits.ts'
import type { MethodCodec } from './codec.ts'
import type { Route } from './routes.ts'
import { isDeliberate, okStatus, percentEncode, toStatus, type Status } from './status.ts'

/** What all calls of a server share. */
export interface CallContext {
  readonly routes: ReadonlyMap<string, Route>
  readonly before: ((call: Call) => Promise<void>) | undefined
  readonly recordCall: ((method: string, status: string, durationMs: number) => void) | undefined
  readonly log: Log
  readonly clock: Clock
  readonly limits: WireLimits
}

type UnaryHandler = (request: unknown, call: Call) => Promise<unknown>
type StreamHandler = (request: unknown, call: Call) => AsyncIterable<unknown>

/** How long a client may keep its half of a stream open after we have ended ours. */
const LINGER_MS = 5000

/** One call: an HTTP/2 stream on one side, a function of ours on the other. */
export class ServerCall implements Call {
  readonly connection: Connection
  readonly metadata: ReadonlyMap<string, readonly string[]>
  readonly requestId: string
  readonly method: string
  readonly #stream: ServerHttp2Stream
  readonly #encoding: string | undefined
  readonly #timeout: string | undefined
  readonly #context: CallContext
  readonly #abort = new AbortController()
  readonly #startedMs: number
  readonly #timers: Disposable[] = []
  #status: Status | undefined

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    rawHeaders: readonly string[],
    given: { readonly connection: Connection; readonly requestId: string; readonly context: CallContext },
  ) {
    this.#stream = stream
    this.#context = given.context
    this.connection = given.connection
    this.requestId = given.requestId
    this.method = String(headers[':path'])
    this.metadata = metadataOf(rawHeaders)
    this.#encoding = headers['grpc-encoding'] as string | undefined
    this.#timeout = headers['grpc-timeout'] as string | undefined
    this.#startedMs = given.context.clock.monotonicMs()
    stream.on('close', () => this.#onClose())
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Does this call answer with a stream, so that it may last for days? */
  get isStream(): boolean {
    const kind = this.#context.routes.get(this.method)?.kind
    return kind === 'serverStream' || kind === 'bidi'
  }

  /** Serves the call to its end. Never rejects. */
  async run(): Promise<void> {
    try {
      this.#startDeadline()
      await this.#context.before?.(this)
      const route = this.#context.routes.get(this.method)
      if (route?.handler === undefined) throw unimplemented(this.method)
      await this.#serve(route)
      this.#end(okStatus)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Ends the call from outside, such as when the process drains. The handler sees its signal abort. */
  abort(error: SallyportError): void {
    if (this.#status !== undefined) return
    this.#end(toStatus(error, this.requestId))
    this.#abort.abort(error)
  }

  async #serve(route: Route): Promise<void> {
    const codec = route.codec
    if (route.kind === 'unary' || route.kind === 'clientStream') {
      const request = route.kind === 'unary' ? await this.#readOne(codec) : this.#readAll(codec)
      const response = await (route.handler as UnaryHandler)(request, this)
      this.#write(codec.encodeResponse(response))
      return
    }
    const request = route.kind === 'serverStream' ? await this.#readOne(codec) : this.#readAll(codec)
    for await (const response of (route.handler as StreamHandler)(request, this)) {
      if (!this.#write(codec.encodeResponse(response))) await this.#drained()
      if (this.#status !== undefined) return
    }
  }

  #startDeadline(): void {
    const timeoutMs = timeoutOf(this.#timeout)
    if (timeoutMs === undefined) return
    const late = (): void => this.abort(new SallyportError('DEADLINE_EXCEEDED', 'The deadline of the call has passed'))
    this.#timers.push(this.#context.clock.timer(timeoutMs, late))
  }

  /** The single request of a call that has only one. */
  #readOne(codec: MethodCodec): Promise<unknown> {
    const { limits, clock } = this.#context
    const { promise, resolve, reject } = Promise.withResolvers<Buffer | Promise<Buffer>>()
    const reader = new FrameReader(limits.messageBytes)
    let found: Buffer | Promise<Buffer> | undefined
    const onData = (chunk: Buffer): void => {
      try {
        for (const frame of reader.push(chunk)) {
          if (found !== undefined) throw invalid('it has more than one message')
          if (frame.compressed) {
            found = contentOf(frame, this.#encoding, limits.messageBytes)
            // Heard at once: nobody else looks at it before the client has finished.
            found.catch(reject)
          } else found = frame.bytes
        }
      } catch (error) {
        this.#stream.off('data', onData)
        reject(error as Error)
      }
    }
    this.#stream.on('data', onData)
    const onEnd = (): void => {
      if (found === undefined || !reader.isEmpty) reject(invalid('its message is missing or cut off'))
      else resolve(found)
    }
    // A request without a message may end while the call is still being authorised.
    if (this.#stream.readableEnded) onEnd()
    else this.#stream.once('end', onEnd)
    const late = clock.timer(limits.requestTimeoutMs, () => reject(invalid('its message did not arrive in time')))
    const { signal } = this.#abort
    const onAbort = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    return promise
      .then((bytes) => decode(codec, bytes))
      .finally(() => {
        // A stream may last for days: what read its request is not held so long.
        late[Symbol.dispose]()
        signal.removeEventListener('abort', onAbort)
        this.#stream.off('data', onData)
      })
  }

  /** The requests of a call that has many, read no faster than the handler takes them. */
  async *#readAll(codec: MethodCodec): AsyncGenerator {
    const { messageBytes } = this.#context.limits
    const reader = new FrameReader(messageBytes)
    try {
      for await (const chunk of this.#stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        for (const frame of reader.push(chunk))
          yield decode(codec, await contentOf(frame, this.#encoding, messageBytes))
      }
    } catch (error) {
      // A stream that was reset ends with an error of Node's own; the reason is ours.
      throw this.#abort.signal.aborted ? this.#abort.signal.reason : error
    }
    if (this.#abort.signal.aborted) throw this.#abort.signal.reason
    if (!reader.isEmpty) throw invalid('its last message is cut off')
  }

  /** Reset by the client, so that Node would throw at the next thing we say. */
  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  /** False when the client reads more slowly than we write. */
  #write(message: Buffer): boolean {
    if (this.#status !== undefined || this.#isGone) return true
    const frame = encodeFrame(message, this.#context.limits.messageBytes)
    if (!this.#stream.headersSent) {
      this.#stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    }
    return this.#stream.write(frame)
  }

  /** Resolves when more may be written, or the stream is over. */
  #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (!this.#stream.writableNeedDrain) return Promise.resolve()
    const done = (): void => {
      this.#stream.off('drain', done).off('close', done)
      this.#abort.signal.removeEventListener('abort', done)
      resolve()
    }
    this.#stream.once('drain', done).once('close', done)
    this.#abort.signal.addEventListener('abort', done, { once: true })
    return promise
  }

  #fail(error: unknown): void {
    if (this.#status !== undefined) return
    const cause = this.#abort.signal.aborted ? this.#abort.signal.reason : error
    if (!isDeliberate(cause)) {
      this.#context.log.error({ err: cause, method: this.method, requestId: this.requestId }, 'Call failed')
    }
    this.#end(toStatus(cause, this.requestId))
    // Whatever the handler left running for this call stops.
    this.#abort.abort(cause)
  }

  #end(status: Status): void {
    if (this.#status !== undefined) return
    this.#record(status)
    const stream = this.#stream
    if (this.#isGone) return
    const trailers = { 'grpc-status': String(status.number), ...messageOf(status), ...status.trailers }
    if (stream.headersSent) {
      stream.once('wantTrailers', () => {
        if (!this.#isGone) stream.sendTrailers(trailers)
      })
      stream.end()
    } else {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true })
    }
    if (stream.readableEnded) return
    // What the client still sends is read and dropped, else its window fills and the stream never closes.
    stream.removeAllListeners('data').resume()
    this.#timers.push(this.#context.clock.timer(LINGER_MS, () => stream.close()))
  }

  #record(status: Status): void {
    this.#status = status
    const { clock, log, recordCall, routes } = this.#context
    const durationMs = clock.monotonicMs() - this.#startedMs
    // The paths that a stranger makes up must not become as many metrics.
    recordCall?.(routes.has(this.method) ? this.method : 'unknown', status.name, durationMs)
    if (log.level === 'debug' || log.level === 'trace') {
      log.debug({ method: this.method, requestId: this.requestId, status: status.name, durationMs }, 'Served call')
    }
  }

  #onClose(): void {
    for (const timer of this.#timers) timer[Symbol.dispose]()
    const isAnswered = this.#status !== undefined
    if (!isAnswered) this.#record(cancelledStatus)
    if (!this.#abort.signal.aborted) this.#abort.abort(isAnswered ? callOver : cancelled)
  }
}

// The ends of most calls and streams. Nobody sees these errors, so that one stack trace is enough for all.
const cancelled = new SallyportError('CALL_CANCELLED', 'The caller cancelled the call or went away')
const cancelledStatus = toStatus(cancelled, '')
/** Whatever was left running for a call that was answered stops. */
const callOver = new SallyportError('CALL_CANCELLED', 'The call has ended')

const messageOf = ({ message }: Status): Record<string, string> =>
  message === '' ? {} : { 'grpc-message': percentEncode(message) }

async function decode(codec: MethodCodec, bytes: Buffer | Promise<Buffer>): Promise<unknown> {
  const content = await bytes
  try {
    return codec.decodeRequest(content)
  } catch (error) {
    throw new SallyportError('REQUEST_INVALID', 'Cannot read the request: it is not the message of this method', {
      cause: error,
    })
  }
}

const unimplemented = (method: string): SallyportError =>
  new SallyportError('METHOD_UNIMPLEMENTED', `Cannot call ${method.slice(0, 200)}: it is not offered here`)

const invalid = (why: string): SallyportError => new SallyportError('PROTOCOL_INVALID', `Cannot read the call: ${why}`)
