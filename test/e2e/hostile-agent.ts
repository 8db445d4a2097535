import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeMessage } from '../../src/wire/encode-message.ts'
import type { MessageType } from '../../src/wire/message-type.ts'
import { x509SvidResponseType } from '../../src/wire/messages/spiffe-workload.ts'

/** What the agent does with a call: anything that can be done with a stream. The path says which method it is. */
export type Act = (stream: ServerHttp2Stream, path?: string) => void

/** Something that listens where an agent should and does what the test wants, byte by byte. Calls of any method get the act of the moment. */
export class HostileAgent implements AsyncDisposable {
  readonly path: string
  readonly #folder = mkdtempSync(join(tmpdir(), 'hostile-'))
  readonly #server: Http2Server
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #streams = new Set<ServerHttp2Stream>()
  act: Act
  calls = 0
  connections = 0

  private constructor(act: Act) {
    this.path = join(this.#folder, 'agent.sock')
    this.act = act
    this.#server = createServer()
    this.#server.on('session', (session) => {
      this.connections++
      this.#sessions.add(session)
      session.on('error', () => {})
      session.on('close', () => this.#sessions.delete(session))
    })
    this.#server.on('stream', (stream: ServerHttp2Stream, headers) => {
      this.calls++
      this.#streams.add(stream)
      stream.on('error', () => {})
      stream.on('close', () => this.#streams.delete(stream))
      this.act(stream, headers[':path'])
    })
  }

  static async listen(act: Act): Promise<HostileAgent> {
    const agent = new HostileAgent(act)
    await new Promise<void>((resolve) => agent.#server.listen(agent.path, resolve))
    return agent
  }

  get endpoint(): string {
    return `unix:${this.path}`
  }

  /** Does something with every call that is open. */
  onOpen(act: Act): void {
    for (const stream of this.#streams) act(stream)
  }

  /** Drops every connection. */
  hangUp(): void {
    for (const session of this.#sessions) session.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Opens the answer, without a message yet. */
export const begin: Act = (stream) => beginWith(stream, {})

export function beginWith(stream: ServerHttp2Stream, headers: Record<string, string>): void {
  if (stream.headersSent) return
  stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...headers }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
}

/** Sends these bytes as one message. */
export const sendBytes =
  (bytes: Buffer, flag = 0): Act =>
  (stream) => {
    begin(stream)
    const prefix = Buffer.alloc(5)
    prefix[0] = flag
    prefix.writeUInt32BE(bytes.length, 1)
    stream.write(Buffer.concat([prefix, bytes]))
  }

/** Sends a message of any type. */
export const sendMessage = <T>(type: MessageType<T>, message: object): Act => sendBytes(encodeMessage(type, message))

/** Sends a message of the stream of X509-SVIDs. */
export const send = (message: object): Act => sendBytes(encodeMessage(x509SvidResponseType, message))

/** Ends the call with a status. */
export const status =
  (code: string, message = ''): Act =>
  (stream) =>
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': code, 'grpc-message': message },
      { endStream: true },
    )
