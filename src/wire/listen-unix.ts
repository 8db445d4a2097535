import { chmodSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import type { Peer } from '../peer/peer.ts'
import { readPeer, type PeerOptions } from '../peer/read-peer.ts'
import { prepareSocketPath } from '../peer/socket-path.ts'
import { acceptAuthority } from './authority-gate.ts'
import type { UidBudget } from './uid-budget.ts'

export interface UnixListenOptions extends PeerOptions {
  /** Permissions of the socket, such as 0o600. */
  readonly mode: number
}

export interface UnixListenContext {
  readonly log: Log
  readonly clock: Clock
  readonly budget: UidBudget
  /** A connection whose peer is known, ready to speak HTTP/2. */
  readonly accept: (duplex: Duplex, socket: Socket, peer: Peer) => void
}

/** Listens on a unix socket. Who cannot be identified is not served. */
export async function listenUnix(
  path: string,
  options: UnixListenOptions,
  context: UnixListenContext,
): Promise<Server> {
  await prepareSocketPath(path)
  const server = createServer({ allowHalfOpen: false }, (socket) => onConnection(socket, options, context))
  await bindUnix(server, path, options.mode)
  // Such as no descriptors left: that connection is lost, the listener is not.
  server.on('error', (error) => context.log.warn({ err: error }, 'Could not accept a connection'))
  return server
}

/** The socket has its final permissions before the first connection can be made: the mask holds while it is created. */
export async function bindUnix(server: Server, path: string, mode: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  const mask = process.umask(0o777 & ~mode)
  try {
    server.listen(path, 1024, resolve)
  } finally {
    process.umask(mask)
  }
  try {
    await promise
  } catch (error) {
    const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    throw new SallyportError(inUse ? 'SOCKET_IN_USE' : 'SOCKET_PATH_UNSAFE', `Cannot listen on ${path}`, {
      cause: error,
    })
  }
  server.off('error', reject)
  chmodSync(path, mode)
}

function onConnection(socket: Socket, options: PeerOptions, { log, clock, budget, accept }: UnixListenContext): void {
  socket.on('error', (error) => log.debug({ err: error }, 'Socket failed'))
  const peer = identify(socket, options, log)
  if (peer === undefined) return
  if (!budget.takeConnection(peer.uid)) {
    log.warn({ pid: peer.pid, uid: peer.uid }, 'Refused connection: this user has too many open')
    socket.destroy()
    return
  }
  socket.on('close', () => budget.giveConnection(peer.uid))
  // A child that inherited the descriptor does not inherit the identity.
  peer.exited.addEventListener('abort', () => socket.destroy(), { once: true })
  acceptAuthority(socket, clock).then(
    (duplex) => {
      if (!socket.destroyed) accept(duplex, socket, peer)
    },
    (error: unknown) => {
      log.debug({ err: error, pid: peer.pid, uid: peer.uid }, 'Refused connection: it does not speak HTTP/2')
      socket.destroy()
    },
  )
}

function identify(socket: Socket, options: PeerOptions, log: Log): Peer | undefined {
  try {
    return readPeer(socket, options)
  } catch (error) {
    log.warn({ err: error }, 'Refused connection: its process cannot be identified')
    socket.destroy()
    return undefined
  }
}
