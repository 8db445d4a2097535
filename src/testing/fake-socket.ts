import { createServer, type Server, type Socket } from 'node:net'
import { acceptAuthority } from '../wire/authority-gate.ts'
import type { CallContext } from '../wire/server-call.ts'
import { ServerSession } from '../wire/server-session.ts'
import { RpcError } from '../wire/status.ts'

/** A unix socket that speaks gRPC to whoever connects, and that can be away. */
export class FakeSocket {
  readonly path: string
  readonly #context: CallContext
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined

  constructor(path: string, context: CallContext) {
    this.path = path
    this.#context = context
  }

  async start(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer((socket) => this.#accept(socket))
    this.#server = server
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject).listen(this.path, resolve)
    await promise
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const closed = new Promise((resolve) => server.close(resolve))
    this.disconnect()
    await closed
  }

  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket)
    const closed = new AbortController()
    socket.on('error', () => socket.destroy())
    socket.once('close', () => {
      this.#sockets.delete(socket)
      closed.abort(new RpcError('CANCELLED', 'the connection is closed'))
    })
    acceptAuthority(socket, this.#context.clock).then(
      (duplex) => {
        if (socket.destroyed) return
        const connection = {
          transport: 'unix',
          id: 'fake',
          peer: anybody(closed.signal),
          closed: closed.signal,
        } as const
        void new ServerSession(duplex, connection, this.#context)
      },
      () => socket.destroy(),
    )
  }
}

/** Nobody is told apart here. */
const anybody = (exited: AbortSignal) => ({
  pid: process.pid,
  uid: 0,
  gid: 0,
  supplementaryGids: [],
  isAlive: () => true,
  exited,
})
