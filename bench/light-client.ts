import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { codecOf } from '../src/wire/codec.ts'
import { encodeFrame, FrameReader } from '../src/wire/frames.ts'
import type { MessageType } from '../src/wire/message-type.ts'
import type { Methods, Sent, Service } from '../src/wire/service.ts'
import { pemOf } from '../src/wire/tls-identity.ts'

type MethodOf<M extends Methods, K extends keyof M> = M[K]
type Request<T> = T extends { readonly request: MessageType<infer Q> } ? Q : never
type Response<T> = T extends { readonly response: MessageType<infer R> } ? R : never

/** A call whose bytes are made beforehand, so that sending it costs next to nothing. */
export interface PreparedCall {
  readonly path: string
  readonly frame: Buffer
}

export function prepare<M extends Methods, K extends keyof M & string>(
  service: Service<M>,
  method: K,
  request: Sent<Request<MethodOf<M, K>>>,
): PreparedCall {
  const { name } = service.methods[method] as { readonly name: string }
  const codec = codecOf(service, name)
  return { path: codec.path, frame: encodeFrame(codec.encodeRequest(request)) }
}

export function decoderOf<M extends Methods, K extends keyof M & string>(
  service: Service<M>,
  method: K,
): (bytes: Buffer) => Response<MethodOf<M, K>> {
  const { name } = service.methods[method] as { readonly name: string }
  return codecOf(service, name).decodeResponse as never
}

const WINDOW_BYTES = 4 * 1024 * 1024

/** gRPC over plain node:http2: what it costs must not be what is measured. */
export class LightClient implements Disposable {
  readonly #session: ClientHttp2Session
  readonly #headers: Readonly<Record<string, string>>

  private constructor(socket: Socket, headers: Readonly<Record<string, string>>) {
    this.#headers = headers
    this.#session = connectHttp2('http://localhost', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
    })
    this.#session.on('connect', () => {
      if (!this.#session.destroyed) this.#session.setLocalWindowSize(WINDOW_BYTES)
    })
    this.#session.on('error', () => undefined)
  }

  static overUnix(path: string, headers: Readonly<Record<string, string>> = {}): LightClient {
    return new LightClient(connect(path), headers)
  }

  /** The server is not verified: it is the one that was started a moment ago. */
  static async overTls(
    port: number,
    identity?: { readonly chain: readonly Buffer[]; readonly privateKey: KeyObject },
  ): Promise<LightClient> {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      ...(identity === undefined ? {} : pemOf(identity)),
    })
    await once(socket, 'secureConnect')
    return new LightClient(socket, {})
  }

  /** Makes a call of one request and gives the bytes of its first response. */
  call({ path, frame }: PreparedCall): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const stream = this.#request(path)
    const chunks: Buffer[] = []
    const fail = ({ 'grpc-status': status, 'grpc-message': message }: IncomingHttpHeaders): void => {
      if (typeof status !== 'string' || status === '0') return
      reject(new Error(`${path}: ${status} ${typeof message === 'string' ? decodeURIComponent(message) : ''}`))
    }
    stream.on('response', fail).on('trailers', fail)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () => {
      const bytes = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
      if (bytes.length < 5) reject(new Error(`${path}: the call ended without an answer`))
      else resolve(bytes.subarray(5, 5 + bytes.readUInt32BE(1)))
    })
    stream.end(frame)
    return promise
  }

  /** Opens a call that answers with many messages. `onMessage` gets their bytes. */
  stream({ path, frame }: PreparedCall, onMessage: (bytes: Buffer) => void, isOpen = false): ClientHttp2Stream {
    const stream = this.#request(path)
    const reader = new FrameReader()
    stream.on('data', (chunk: Buffer) => {
      for (const { bytes } of reader.push(chunk)) onMessage(bytes)
    })
    stream.on('error', () => undefined)
    if (isOpen) stream.write(frame)
    else stream.end(frame)
    return stream
  }

  /** Opens a stream, waits for its first message and cancels it. */
  async firstOnly(call: PreparedCall): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const stream = this.stream(call, (bytes) => {
      resolve(bytes)
      stream.close(constants.NGHTTP2_CANCEL)
    })
    stream.on('close', () => reject(new Error(`${call.path} ended without a message`)))
    return promise
  }

  /** Opens a stream and waits for its first message; the stream stays open. */
  async first(call: PreparedCall, onLater: (bytes: Buffer) => void = () => undefined): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    let isFirst = true
    const stream = this.stream(call, (bytes) => {
      if (isFirst) resolve(bytes)
      else onLater(bytes)
      isFirst = false
    })
    let why = ''
    stream.on('response', (headers) => (why = String(headers['grpc-message'] ?? '')))
    stream.on('trailers', (headers) => (why = String(headers['grpc-message'] ?? '')))
    stream.on('close', () => reject(new Error(`${call.path} ended: ${why}`)))
    return promise
  }

  #request(path: string): ClientHttp2Stream {
    return this.#session.request(
      { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...this.#headers },
      { endStream: false },
    )
  }

  /** Closes when the calls that are open have ended. */
  finish(): void {
    this.#session.close()
  }

  [Symbol.dispose](): void {
    this.#session.destroy()
  }
}
