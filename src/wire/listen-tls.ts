import { constants } from 'node:crypto'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { Log } from '../log/log.ts'
import { prepareSocketPath } from '../peer/socket-path.ts'
import type { WireLimits } from './limits.ts'
import { bindUnix } from './listen-unix.ts'
import { networkOf } from './network-of.ts'
import { pemOf, presentedChain, type TlsIdentity } from './tls-identity.ts'
import { TokenBuckets } from './token-bucket.ts'

/** Where to listen with TLS: an address, or a unix socket with its permissions, such as 0o600. */
export type TlsAddress =
  { readonly host: string; readonly port: number } | { readonly unix: string; readonly mode: number }

export interface TlsListenOptions {
  /** What new connections are shown; asked for each, so that it may change at any time. */
  credentials(): TlsIdentity
  /** Ends connections of clients that present no certificate as soon as they have shaken hands. Default: false. */
  readonly requireCertificate?: boolean | undefined
}

export interface TlsListenContext {
  readonly log: Log
  readonly clock: Clock
  readonly limits: WireLimits
  readonly accept: (socket: TLSSocket, presentedChain: readonly Buffer[] | undefined) => void
}

/**
 * Listens with TLS. Every client may show a certificate; what it is worth, and unless `requireCertificate` says so whether it must, is
 * decided for each call by whoever authorises it: a join has none yet.
 *
 * @returns port 0 for a unix socket
 */
export async function listenTls(
  address: TlsAddress,
  options: TlsListenOptions,
  context: TlsListenContext,
): Promise<{ readonly server: Server; readonly port: number }> {
  const gate = new HandshakeGate(context, 'unix' in address)
  const tls = createServer({ ...tlsOptions, handshakeTimeout: context.limits.handshakeTimeoutMs })
  tls.on('tlsClientError', (error, socket) => {
    context.log.debug({ err: error }, 'TLS handshake failed')
    // After a handshake that took too long Node leaves the socket open.
    socket.destroy()
  })
  tls.on('secureConnection', (socket) => {
    socket.on('error', (error) => context.log.debug({ err: error }, 'Socket failed'))
    gate.done(socket)
    try {
      const chain = presentedChain(socket)
      const isWanted = chain !== undefined || options.requireCertificate !== true
      if (socket.alpnProtocol === 'h2' && isWanted) context.accept(socket, chain)
      else socket.destroy()
    } catch (error) {
      context.log.debug({ err: error }, 'Refused connection: its certificate cannot be read')
      socket.destroy()
    }
  })
  let shown: TlsIdentity | undefined
  const server = createTcpServer({ noDelay: true, keepAlive: true }, (socket) => {
    if (!gate.admit(socket)) return
    try {
      const current = options.credentials()
      // One context for all connections of one certificate: making it costs more than half a millisecond.
      if (shown?.chain[0] !== current.chain[0] || shown?.privateKey !== current.privateKey) {
        tls.setSecureContext({ ...secureContextOptions, ...pemOf(current) })
        shown = current
      }
      tls.emit('connection', socket)
    } catch (error) {
      context.log.warn({ err: error }, 'Refused connection: there is no certificate to show')
      socket.destroy()
    }
  })
  await bindTo(server, address)
  // Such as no descriptors left: that connection is lost, the listener is not.
  server.on('error', (error) => context.log.warn({ err: error }, 'Could not accept a connection'))
  return { server, port: 'unix' in address ? 0 : (server.address() as AddressInfo).port }
}

async function bindTo(server: Server, address: TlsAddress): Promise<void> {
  if (!('unix' in address)) return bind(server, address)
  await prepareSocketPath(address.unix)
  await bindUnix(server, address.unix, address.mode)
}

const secureContextOptions = {
  minVersion: 'TLSv1.2',
  // A resumed session skips the certificate, and so its expiry.
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
} as const

const tlsOptions = {
  requestCert: true,
  rejectUnauthorized: false,
  // Not `ALPNProtocols`, of which each socket keeps a copy: three bytes that hold 64 KiB of shared memory.
  ALPNCallback: ({ protocols }: { readonly protocols: readonly string[] }) => protocols.find((name) => name === 'h2'),
  ...secureContextOptions,
}

/** Handshakes are the dearest thing a stranger can ask for: so many a second of one address, so many at a time in all. */
class HandshakeGate {
  readonly #buckets: TokenBuckets
  readonly #limits: WireLimits
  readonly #log: Log
  readonly #isLocal: boolean
  readonly #pending = new Set<string>()

  constructor({ limits, clock, log }: TlsListenContext, isLocal: boolean) {
    this.#limits = limits
    this.#log = log
    this.#isLocal = isLocal
    this.#buckets = new TokenBuckets({ perSecond: limits.handshakesPerSecond, burst: limits.handshakeBurst, clock })
  }

  admit(socket: Socket): boolean {
    // Connections of a unix socket have no address to be counted by: they share one rate, and time alone ends those that say nothing.
    if (this.#isLocal) return this.#buckets.take(LOCAL) || this.#refuse(socket, LOCAL)
    const address = socket.remoteAddress
    const full = this.#pending.size >= this.#limits.handshakesPending
    if (address === undefined || full || !this.#buckets.take(networkOf(address))) {
      return this.#refuse(socket, address)
    }
    const name = nameOf(socket)
    this.#pending.add(name)
    socket.once('close', () => this.#pending.delete(name))
    return true
  }

  #refuse(socket: Socket, address: string | undefined): false {
    this.#log.debug({ address }, 'Refused connection: too many handshakes')
    socket.destroy()
    return false
  }

  /** @param socket the one that TLS made around the admitted one */
  done(socket: Socket): void {
    this.#pending.delete(nameOf(socket))
  }
}

/** Stands for the address of whoever comes over a unix socket. */
export const LOCAL = 'unix'

const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress}|${remotePort}`

async function bind(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host, port, backlog: 1024 }, resolve)
  try {
    await promise
  } catch (error) {
    const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    throw new SallyportError(inUse ? 'SOCKET_IN_USE' : 'ADDRESS_UNUSABLE', `Cannot listen on ${host}:${port}`, {
      cause: error,
    })
  }
  server.off('error', reject)
}
