import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { SecureVersion, Server, TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import type { Connection } from './connection.ts'
import type { Connections } from './connections.ts'
import { HttpFarewell } from './http-farewell.ts'
import { bearsConnection, findConnection } from './peer-of.ts'
import { contextOptions } from './tls-options.ts'
import type { TlsSource } from './tls-source.ts'
import type { VerifiedPeer } from './verified-peer.ts'
import { type PresentedCertificate, verifyPeer } from './verify-peer.ts'

/** Everything that a guard goes by. */
export interface GuardRules {
  readonly source: TlsSource
  readonly allow: IdMatcher
  readonly admit: ((peer: VerifiedPeer, socket: TLSSocket) => void) | undefined
  readonly onRefused: OnRefused | undefined
  readonly filter: ((emit: Emit) => Emit) | undefined
  readonly connections: Connections
  readonly clock: Clock
  readonly minVersion: SecureVersion
}

/** The SVIDs before the newest that a handshake may still end with: none takes as long as their lives. */
const PRESENTED_MAX = 4

/** As `emit` of a server. */
export type Emit = (event: string | symbol, ...values: unknown[]) => boolean

/** Told of a connection that was closed before anything was read from it; `presented`: the certificate that it showed. */
export type OnRefused = (error: Error, address: string | undefined, presented: PresentedCertificate | undefined) => void

/**
 * Stands between a TLS server and those who listen to it. The server presents the SVID of the moment, and only connections
 * whose peer is verified are announced; of any other its listeners never hear. It works on events, which are the same for
 * sockets that were accepted and for those that are handed over with `server.emit('connection', socket)`.
 */
export class ServerGuard {
  readonly #server: Server
  readonly #rules: GuardRules
  readonly #emit: Emit
  readonly #farewells = new WeakMap<Connection, HttpFarewell>()
  /** What connections were told to present, the newest last: a handshake may be under way while the SVID changes. */
  #presented: readonly X509Svid[] = []
  /** The one whose listeners are being called. */
  #announced: Connection | undefined

  constructor(server: Server, rules: GuardRules) {
    this.#server = server
    this.#rules = rules
    const emit = (server.emit as Emit).bind(server)
    this.#emit = rules.filter?.(emit) ?? emit
  }

  /** Takes the place of the server's `emit`. */
  readonly emit: Emit = (event, ...values) => {
    switch (event) {
      case 'connection':
        return this.#present(values[0] as Duplex) && this.#emit(event, ...values)
      case 'secureConnection':
        return this.#announce(values[0] as TLSSocket)
      case 'tlsClientError':
        return this.#failed(values[0] as Error, values[1] as TLSSocket)
      case 'session':
        this.#opened(values[0] as ServerHttp2Session)
        break
      case 'stream':
        this.#streamed(values[0] as ServerHttp2Stream)
        break
      case 'request':
      case 'checkContinue':
      case 'checkExpectation':
        this.#requested(values[0] as IncomingMessage, values[1] as ServerResponse)
        break
    }
    return this.#emit(event, ...values)
  }

  /** What is set when a connection is accepted is what the engine presents on it. */
  #present(socket: Duplex): boolean {
    const { source, minVersion } = this.#rules
    try {
      const { svid } = source.current()
      if (svid === this.#presented.at(-1)) return true
      this.#server.setSecureContext(contextOptions(svid, minVersion))
      this.#presented = [...this.#presented, svid].slice(-PRESENTED_MAX)
      return true
    } catch (error) {
      // Without an SVID there is nothing to present; an old one would be refused anyway.
      this.#refuse(socket, error as Error)
      return false
    }
  }

  #announce(socket: TLSSocket): boolean {
    const connection = this.#admit(socket)
    if (connection === undefined) return false
    this.#announced = connection
    try {
      return this.#emit('secureConnection', socket)
    } finally {
      this.#announced = undefined
    }
  }

  #admit(socket: TLSSocket): Connection | undefined {
    const { source, clock, allow, admit, connections } = this.#rules
    let presented: PresentedCertificate | undefined
    // A peer that resets must not end the process; whoever reads the socket sees its end.
    socket.on('error', () => {})
    try {
      if (socket.isSessionReused())
        throw new SallyportError('TLS_FAILED', 'Cannot accept a resumed session: it has shown no certificate')
      presented = socket.getPeerX509Certificate()
      const peer = verifyPeer(presented, allow, { source, clock })
      admit?.(peer, socket)
      if (socket.destroyed) return undefined
      // The engine had no authorities to say so by.
      Object.assign(socket, { authorized: true, authorizationError: null })
      const connection = connections.add({ socket, peer, own: this.#presentedOn(socket), role: 'server' })
      bearsConnection(socket, connection)
      if (this.#server.listenerCount('request') + this.#server.listenerCount('stream') > 0) {
        const http = new HttpFarewell(connection, clock)
        this.#farewells.set(connection, http)
        connection.farewell = () => http.say()
      }
      return connection
    } catch (error) {
      this.#refuse(socket, error as Error, presented)
      return undefined
    }
  }

  #presentedOn(socket: TLSSocket): X509Svid {
    const leaf = socket.getX509Certificate()?.raw
    const svid = this.#presented.findLast(({ chain }) => leaf?.equals(chain[0].der))
    return svid ?? this.#rules.source.current().svid
  }

  #refuse(
    socket: Duplex & { readonly remoteAddress?: string | undefined },
    error: Error,
    presented?: PresentedCertificate,
  ): void {
    const address = socket.remoteAddress
    socket.destroy()
    this.#rules.onRefused?.(error, address, presented)
  }

  #failed(error: Error, socket: TLSSocket): boolean {
    const isHeard = this.#emit('tlsClientError', error, socket)
    // After a handshake that took too long Node leaves the socket open.
    this.#refuse(socket, error)
    return isHeard
  }

  /** HTTP/2 opens its session while the connection is announced. */
  #opened(session: ServerHttp2Session): void {
    if (this.#announced === undefined) return
    bearsConnection(session, this.#announced)
    this.#farewells.get(this.#announced)?.opened(session)
  }

  #streamed(stream: ServerHttp2Stream): void {
    const connection = findConnection(stream)
    if (connection === undefined) return
    // A stream that has closed no longer knows its session.
    bearsConnection(stream, connection)
    this.#rules.connections.retireIfDue(connection)
  }

  #requested(request: IncomingMessage, response: ServerResponse): void {
    const connection = findConnection(request)
    // Such as one that a test makes up; whoever asks for its peer is told.
    if (connection === undefined) return
    this.#farewells.get(connection)?.requested(request, response)
    this.#rules.connections.retireIfDue(connection)
  }
}
