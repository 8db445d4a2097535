import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2'
import { constants } from 'node:http2'
import type { Clock } from '../clock.ts'
import { SallyportError, type GrpcStatusName } from '../errors.ts'
import { printTimeout } from './call-headers.ts'
import type { MethodCodec } from './codec.ts'
import { contentOf, encodeFrame, type Frame, FrameReader } from './frames.ts'
import type { ClientOptions } from './client.ts'
import { fromStatus, percentDecode, RpcError } from './status.ts'

export interface ClientCallGiven {
  readonly session: ClientHttp2Session
  readonly codec: MethodCodec
  readonly options: ClientOptions
  readonly clock: Clock
  readonly maxMessageBytes: number
}

/** One call to a server: messages out, messages in, and the error that its status stands for. */
export class ClientCall {
  readonly #stream: ClientHttp2Stream
  readonly #codec: MethodCodec
  readonly #maxBytes: number
  readonly #closers: (() => void)[] = []
  #headers: IncomingHttpHeaders | undefined
  #trailers: IncomingHttpHeaders | undefined
  #onClosed: (() => void) | undefined
  /** Why we ended the call ourselves. */
  #reason: Error | undefined

  constructor({ session, codec, options, clock, maxMessageBytes }: ClientCallGiven) {
    this.#codec = codec
    this.#maxBytes = maxMessageBytes
    this.#stream = session.request(
      {
        ...options.metadata,
        ':method': 'POST',
        ':path': codec.path,
        ':authority': 'localhost',
        'content-type': 'application/grpc',
        te: 'trailers',
        ...(options.timeoutMs === undefined ? {} : { 'grpc-timeout': printTimeout(options.timeoutMs) }),
      },
      { endStream: false },
    )
    // The reason is taken from status, reset code or signal; without a handler the process would end.
    this.#stream.on('error', () => undefined)
    this.#stream.once('response', (headers) => (this.#headers = headers))
    this.#stream.once('trailers', (trailers) => (this.#trailers = trailers))
    this.#stream.once('close', () => {
      for (const close of this.#closers) close()
      this.#onClosed?.()
    })
    this.#watch(options, clock)
  }

  #watch({ signal, timeoutMs }: ClientOptions, clock: Clock): void {
    if (signal !== undefined) {
      const onAbort = (): void => this.cancel(signal.reason as Error)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#closers.push(() => signal.removeEventListener('abort', onAbort))
      if (signal.aborted) onAbort()
    }
    if (timeoutMs !== undefined) {
      const why = `No answer within ${Math.round(timeoutMs)} ms`
      const late = (): void => this.cancel(new SallyportError('DEADLINE_EXCEEDED', why))
      const timer = clock.timer(timeoutMs, late)
      this.#closers.push(() => timer[Symbol.dispose]())
    }
  }

  /** Ends the call; the server sees a cancellation. */
  cancel(reason: Error): void {
    if (this.#stream.closed) return
    this.#reason ??= reason
    this.#stream.close(constants.NGHTTP2_CANCEL)
  }

  /** Sends the only message. */
  sendOne(message: unknown): void {
    if (!this.#stream.writable) return
    this.#stream.end(encodeFrame(this.#codec.encodeRequest(message), this.#maxBytes))
  }

  /** Sends many messages, no faster than the server takes them. Ends early, without error, when the call is over. */
  async sendAll(messages: AsyncIterable<unknown>): Promise<void> {
    const iterator = messages[Symbol.asyncIterator]()
    try {
      for (;;) {
        const next = await this.#unlessClosed(() => iterator.next())
        if (next === undefined || !this.#stream.writable) return
        if (next.done === true) return void this.#stream.end()
        const frame = encodeFrame(this.#codec.encodeRequest(next.value), this.#maxBytes)
        if (!this.#stream.write(frame)) await this.#unlessClosed(() => once(this.#stream, 'drain'))
      }
    } catch (error) {
      this.cancel(error as Error)
    } finally {
      // Not awaited: a generator that waits for something of its own answers only after that.
      iterator.return?.(undefined).catch(() => undefined)
    }
  }

  /** Waits for something, or (undefined) until the stream is closed. One waiter at a time. */
  async #unlessClosed<T>(start: () => Promise<T>): Promise<T | undefined> {
    if (this.#stream.closed || this.#stream.destroyed) return undefined
    // A promise of its own for each wait: one for the whole stream would remember every wait of a long life.
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#onClosed = () => resolve(undefined)
    return Promise.race([start(), promise])
  }

  /** The messages that come back; ends with the call, and throws unless its status is OK. */
  async *responses(): AsyncGenerator {
    const reader = new FrameReader(this.#maxBytes)
    try {
      for await (const chunk of this.#stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        for (const frame of reader.push(chunk)) {
          yield this.#decode(await this.#content(frame))
        }
      }
    } catch (error) {
      throw this.#failure(error) ?? error
    } finally {
      // Whoever stops reading early does not want the rest; a server that ended does not want more.
      if (!this.#stream.readableEnded) this.cancel(new SallyportError('CALL_CANCELLED', 'The reader stopped'))
      else if (!this.#stream.writableEnded) this.#stream.close()
    }
    const failure = this.#failure(undefined)
    if (failure !== undefined) throw failure
  }

  /** The only message that comes back. */
  async response(): Promise<unknown> {
    let found: unknown
    for await (const response of this.responses()) {
      if (found !== undefined) throw new SallyportError('PROTOCOL_INVALID', `${this.#codec.path} answered twice`)
      found = response
    }
    if (found === undefined)
      throw new SallyportError('PROTOCOL_INVALID', `${this.#codec.path} answered without a message`)
    return found
  }

  async #content(frame: Frame): Promise<Buffer> {
    const encoding = this.#headers?.['grpc-encoding'] as string | undefined
    try {
      return await contentOf(frame, encoding, this.#maxBytes)
    } catch (cause) {
      // To a server that is a method which it does not offer so; to a client, a server that breaks the rules.
      if (!(cause instanceof SallyportError) || cause.code !== 'METHOD_UNIMPLEMENTED') throw cause
      throw new SallyportError('PROTOCOL_INVALID', `Cannot read the answer of ${this.#codec.path}`, { cause })
    }
  }

  #decode(content: Buffer): unknown {
    try {
      return this.#codec.decodeResponse(content)
    } catch (cause) {
      throw new SallyportError('PROTOCOL_INVALID', `Cannot read the answer of ${this.#codec.path}`, { cause })
    }
  }

  /** What went wrong, if anything: our own reason, the status, the HTTP status, the code of a reset. */
  #failure(error: unknown): Error | undefined {
    if (this.#reason !== undefined) return this.#reason
    if (error instanceof SallyportError) return error
    const status = this.#trailers?.['grpc-status'] === undefined ? this.#headers : this.#trailers
    const number = status?.['grpc-status']
    if (status !== undefined && typeof number === 'string' && /^\d{1,5}$/.test(number)) {
      if (number === '0') return error === undefined ? undefined : lost(this.#codec.path, error)
      const message = status['grpc-message']
      return fromStatus(Number(number), percentDecode(typeof message === 'string' ? message : ''), (name) => {
        const value = status[name]
        return typeof value === 'string' ? value : undefined
      })
    }
    const httpStatus = Number(this.#headers?.[':status'] ?? 200)
    if (httpStatus !== 200) return new RpcError(grpcOfHttp(httpStatus), `HTTP status ${httpStatus}`)
    return this.#resetFailure(error)
  }

  #resetFailure(error: unknown): Error {
    const { rstCode } = this.#stream
    if (rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM)
      return new RpcError('RESOURCE_EXHAUSTED', 'the server asks for less')
    if (rstCode === constants.NGHTTP2_INADEQUATE_SECURITY)
      return new RpcError('PERMISSION_DENIED', 'the connection is too weak')
    return lost(this.#codec.path, error)
  }
}

const lost = (path: string, cause: unknown): SallyportError =>
  new SallyportError('UNREACHABLE', `The connection was lost during ${path}`, { cause })

/** @see "HTTP to gRPC Status Code Mapping" of the gRPC project */
function grpcOfHttp(status: number): GrpcStatusName {
  if (status === 400) return 'INTERNAL'
  if (status === 401) return 'UNAUTHENTICATED'
  if (status === 403) return 'PERMISSION_DENIED'
  if (status === 404) return 'UNIMPLEMENTED'
  return [429, 502, 503, 504].includes(status) ? 'UNAVAILABLE' : 'UNKNOWN'
}
