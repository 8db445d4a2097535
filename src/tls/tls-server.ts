import { subscribe } from 'node:diagnostics_channel'
import type { SecureVersion, Server, TLSSocket, TlsOptions } from 'node:tls'
import { type Clock, systemClock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import { Connections } from './connections.ts'
import type { Retirement } from './retirement.ts'
import { type Emit, type OnRefused, ServerGuard } from './server-guard.ts'
import { contextOptions, DEFAULT_MIN_VERSION } from './tls-options.ts'
import { checkSource, type TlsSource } from './tls-source.ts'
import type { VerifiedPeer } from './verified-peer.ts'

/** How long a peer may take for its handshake. */
const HANDSHAKE_TIMEOUT_MS = 10_000

export interface TlsServerOptions {
  /** Who may connect. */
  readonly allow: IdMatcher
  /** Asked about each peer that is verified and allowed; throws to refuse it. Must answer at once. */
  readonly admit?: ((peer: VerifiedPeer, socket: TLSSocket) => void) | undefined
  /** Told of each connection that was closed before anything was read from it. */
  readonly onRefused?: OnRefused | undefined
  /** Stands between the server and its listeners, behind the verification of peers: what it does not pass on, nobody hears. */
  readonly filter?: ((emit: Emit) => Emit) | undefined
  /** Ends connections whose SVIDs have expired, or that are too old. Default: never. */
  readonly retire?: Retirement | undefined
  /** Where the open connections are registered, for those who look at them; it brings its own rules of retirement. */
  readonly connections?: Connections | undefined
  /** `TLSv1.2` only for peers that cannot do better. Default: `TLSv1.3`. */
  readonly minVersion?: Extract<SecureVersion, 'TLSv1.2' | 'TLSv1.3'> | undefined
  readonly clock?: Clock | undefined
}

interface Plan {
  readonly source: TlsSource
  readonly options: TlsServerOptions
}

/** A server made of our options is known by the very certificate bytes that they hold. */
const plans = new WeakMap<object, Plan>()
const guarded = new WeakSet<Server>()

/**
 * Options for `createServer` of `node:https`, `node:http2` or `node:tls`, alone or spread into more options. The server presents
 * the newest SVID to each connection and asks for that of its peer, verifies it against the bundle of the peer's own trust
 * domain, and lets in only whom `allow` matches. Who that was: `peerOf(request)`.
 *
 * By themselves the options accept nobody: the certificate authorities in them are none. The verification takes over when the
 * server begins to listen. A server that never listens, because it is handed its sockets, is protected by {@link protect}. The
 * `createServer` of `node:http` would take the options too, and go by none of them: it speaks to everybody in plain text.
 *
 * @throws {@link SallyportError} when the source holds no SVID at the moment
 * @example
 * ```ts
 * const server = https.createServer(tlsServer(source, { allow: memberOf('example.org') }), handler)
 * ```
 */
export function tlsServer(source: TlsSource, options: TlsServerOptions): TlsOptions {
  const { minVersion } = checked(source, options)
  const context = contextOptions(source.current().svid, minVersion)
  plans.set(context.cert, { source, options })
  protectThoseThatListen()
  return { ...context, requestCert: true, rejectUnauthorized: true, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }
}

/**
 * Protects a TLS, HTTPS or HTTP/2 server as the options of {@link tlsServer} do, whatever it was made with: for servers that
 * never listen, and for runtimes other than Node.
 *
 * @returns its open connections
 * @throws {@link SallyportError} `SERVER_NOT_PROTECTED`: it is no TLS server, or it is protected already
 */
export function protect(server: Server, source: TlsSource, options: TlsServerOptions): Connections {
  const {
    allow,
    admit,
    onRefused,
    filter,
    clock = systemClock,
    minVersion = DEFAULT_MIN_VERSION,
  } = checked(source, options)
  const problem = problemOf(server)
  if (problem !== undefined) throw new SallyportError('SERVER_NOT_PROTECTED', `Cannot protect this server: ${problem}`)
  const connections = options.connections ?? new Connections({ clock, retire: options.retire })
  const guard = new ServerGuard(server, { source, allow, admit, onRefused, filter, connections, clock, minVersion })
  // Should a future engine not go by these fields: without the first no peer shows a certificate, without the second none has
  // an authority. Either way none is let in.
  Object.assign(server, { requestCert: true, rejectUnauthorized: false, emit: guard.emit })
  guarded.add(server)
  return connections
}

function checked(source: TlsSource, options: TlsServerOptions): TlsServerOptions {
  checkSource(source)
  if (typeof (options as Partial<TlsServerOptions> | undefined)?.allow?.matches !== 'function')
    throw new TypeError('A TLS server needs `allow`: a matcher such as memberOf() or exactly()')
  if (options.connections !== undefined && options.retire !== undefined)
    throw new TypeError('Either `retire` or `connections`: a registry brings its own rules of retirement')
  return options
}

function problemOf(server: Server): string | undefined {
  if (typeof server.setSecureContext !== 'function') return 'it is no TLS server'
  if (!('requestCert' in server) || !('rejectUnauthorized' in server))
    return 'this runtime is not known to ask for certificates'
  return guarded.has(server) ? 'it is protected already' : undefined
}

let isSubscribed = false

/** Both channels tell of a server before the first byte of a handshake is read. */
function protectThoseThatListen(): void {
  if (isSubscribed) return
  isSubscribed = true
  subscribe('tracing:net.server.listen:asyncStart', (message) => protectOwn((message as { server?: unknown }).server))
  // The first connection of a server that nobody heard of until now is lost: the engine has been told to refuse it.
  subscribe('net.server.socket', (message) => protectOwn((message as { socket?: { server?: unknown } }).socket?.server))
}

function protectOwn(server: unknown): void {
  const { cert } = (server ?? {}) as { readonly cert?: unknown }
  const plan = plans.get((Array.isArray(cert) ? cert[0] : cert) as object)
  if (plan === undefined || problemOf(server as Server) !== undefined) return
  protect(server as Server, plan.source, plan.options)
}
