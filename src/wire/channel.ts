import type { ClientHttp2Session } from 'node:http2'
import { systemClock, type Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { ClientCall, type ClientCallGiven } from './client-call.ts'
import { methodCodec } from './codec.ts'
import { openSession, type SessionOptions, type SessionTls } from './connect.ts'
import { MESSAGE_MAX_BYTES } from './frames.ts'
import type { Client, ClientOptions, Transport } from './client.ts'
import type { AnyMethod, Methods, Service } from './service.ts'
import type { TlsIdentity } from './tls-identity.ts'

export interface ChannelTls extends Pick<SessionTls, 'verify'> {
  /**
   * What we present, or a function that says so for each connection. A call after it says something else goes over a new connection;
   * what is open on the old one goes on there.
   */
  readonly identity?: TlsIdentity | (() => TlsIdentity | undefined) | undefined
}

/** Those of a session hold for each connection of the channel. */
export interface ChannelOptions extends Omit<SessionOptions, 'tls'> {
  readonly tls?: ChannelTls | undefined
  readonly clock?: Clock | undefined
  /** Default: 10 s. */
  readonly connectTimeoutMs?: number | undefined
  /** Default: 4 MiB, as everywhere in gRPC. */
  readonly maxMessageBytes?: number | undefined
}

const CONNECT_TIMEOUT_MS = 10_000
const KEEPALIVE_MS = 30_000
const KEEPALIVE_TIMEOUT_MS = 10_000

/** Opens a channel to a server: connects when first used, and again after the connection was lost. */
export function openChannel(options: ChannelOptions): Transport & AsyncDisposable {
  return new Channel(options)
}

class Channel implements Transport, AsyncDisposable {
  readonly #options: ChannelOptions
  readonly #clock: Clock
  readonly #closed = new AbortController()
  readonly #sessions = new Set<ClientHttp2Session>()
  /** What was presented on a connection, where that may change. */
  readonly #presented = new WeakMap<ClientHttp2Session, TlsIdentity | undefined>()
  #current: Promise<ClientHttp2Session> | undefined

  constructor(options: ChannelOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  client<M extends Methods>(service: Service<M>): Client<Service<M>> {
    const methods = Object.entries(service.methods).map(([key, method]) => [key, this.#method(service, method)])
    return Object.fromEntries(methods) as Client<Service<M>>
  }

  async close(): Promise<void> {
    this.#closed.abort(new SallyportError('SHUTTING_DOWN', 'The channel is closed'))
    for (const session of this.#sessions) session.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #method(service: Service, method: AnyMethod): unknown {
    const { kind } = method
    const codec = methodCodec(service, method)
    const open = async (options: ClientOptions = {}): Promise<ClientCall> => {
      const startMs = this.#clock.monotonicMs()
      const session = await this.#session(options)
      const timeoutMs =
        options.timeoutMs === undefined
          ? undefined
          : Math.max(options.timeoutMs - (this.#clock.monotonicMs() - startMs), 1)
      const maxMessageBytes = this.#options.maxMessageBytes ?? MESSAGE_MAX_BYTES
      const given = { ...options, timeoutMs }
      return this.#start({
        session,
        codec,
        options: given,
        clock: this.#clock,
        maxMessageBytes,
      })
    }
    if (kind === 'unary' || kind === 'clientStream') {
      return async (request: unknown, options?: ClientOptions) => {
        const call = await open(options)
        send(call, kind, request)
        return call.response()
      }
    }
    return async function* (request: unknown, options?: ClientOptions) {
      const call = await open(options)
      send(call, kind, request)
      yield* call.responses()
    }
  }

  /** A connection may be lost between the moment that it was looked at and the call. */
  #start(given: ClientCallGiven): ClientCall {
    try {
      return new ClientCall(given)
    } catch (error) {
      const isLost = ((error as NodeJS.ErrnoException).code ?? '').startsWith('ERR_HTTP2_')
      throw isLost ? new SallyportError('UNREACHABLE', 'The connection was lost', { cause: error }) : error
    }
  }

  /** The open connection, or a new one; waits no longer than the caller does. */
  async #session({ signal, timeoutMs }: ClientOptions): Promise<ClientHttp2Session> {
    this.#closed.signal.throwIfAborted()
    signal?.throwIfAborted()
    const current = (this.#current ??= this.#connect())
    const { promise, reject } = Promise.withResolvers<never>()
    const onAbort = (): void => reject(signal?.reason as Error)
    signal?.addEventListener('abort', onAbort, { once: true })
    const late = (): void => reject(new SallyportError('DEADLINE_EXCEEDED', `No connection within ${timeoutMs} ms`))
    const timer = timeoutMs === undefined ? undefined : this.#clock.timer(timeoutMs, late)
    try {
      const session = await Promise.race([current, promise])
      if (this.#isOutdated(session)) session.close()
      if (!session.closed && !session.destroyed) return session
      // It was lost a moment ago, and the event that says so is still to come; or it is closed to new calls. Of all the calls that
      // find it so, the first one connects for the others.
      this.#forget(current)
      return await Promise.race([(this.#current ??= this.#connect()), promise])
    } finally {
      timer?.[Symbol.dispose]()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  #connect(): Promise<ClientHttp2Session> {
    const timeout = new AbortController()
    const timeoutMs = this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
    const late = new SallyportError('UNREACHABLE', `No connection within ${timeoutMs} ms`)
    const timer = this.#clock.timer(timeoutMs, () => timeout.abort(late))
    const opening: Promise<ClientHttp2Session> = this.#open(AbortSignal.any([this.#closed.signal, timeout.signal]))
      .then((session) => this.#adopt(session, opening))
      .finally(() => timer[Symbol.dispose]())
    // The next call tries again; this failure belongs to those that wait for it now.
    opening.catch(() => this.#forget(opening))
    return opening
  }

  async #open(signal: AbortSignal): Promise<ClientHttp2Session> {
    const { tls } = this.#options
    const identity = typeof tls?.identity === 'function' ? tls.identity() : tls?.identity
    const session = await openSession({ ...this.#options, tls: tls && { ...tls, identity } }, signal)
    this.#presented.set(session, identity)
    return session
  }

  /** Somebody else by now: a renewed SVID, for one. Where there is nobody to be, the old connection is as good as it was. */
  #isOutdated(session: ClientHttp2Session): boolean {
    const identity = this.#options.tls?.identity
    if (typeof identity !== 'function') return false
    try {
      return identity() !== this.#presented.get(session)
    } catch {
      return false
    }
  }

  #adopt(session: ClientHttp2Session, opening: Promise<ClientHttp2Session>): ClientHttp2Session {
    this.#sessions.add(session)
    // After GOAWAY what is open goes on, and new calls need another connection.
    session.once('goaway', () => this.#forget(opening))
    session.once('close', () => {
      this.#sessions.delete(session)
      this.#forget(opening)
    })
    this.#keepAlive(session)
    return session
  }

  #forget(opening: Promise<ClientHttp2Session>): void {
    if (this.#current === opening) this.#current = undefined
  }

  /** A server that vanished without a word is noticed, so that streams end and their callers come back. */
  #keepAlive(session: ClientHttp2Session): void {
    let timer: Disposable
    const wait = (): void => {
      timer = this.#clock.timer(KEEPALIVE_MS, () => {
        if (session.destroyed) return
        timer = this.#clock.timer(KEEPALIVE_TIMEOUT_MS, () => session.destroy())
        session.ping((error) => {
          timer[Symbol.dispose]()
          if (error === null) wait()
        })
      })
    }
    session.once('close', () => timer[Symbol.dispose]())
    wait()
  }
}

function send(call: ClientCall, kind: AnyMethod['kind'], request: unknown): void {
  if (kind === 'unary' || kind === 'serverStream') call.sendOne(request)
  else void call.sendAll(request as AsyncIterable<unknown>)
}
