import type { TLSSocket } from 'node:tls'
import { SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import type { ConnectionFacts, JwtFacts } from '../policy/request.ts'
import type { Connections } from '../tls/connections.ts'
import type { TlsServerOptions } from '../tls/tls-server.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import type { VerifiedPeer } from '../tls/verified-peer.ts'
import type { PresentedCertificate } from '../tls/verify-peer.ts'
import { DecisionNotes, type NotesOptions } from './decision-notes.ts'
import { EnforcedConnection } from './enforced-connection.ts'
import { forwardedToken, type ForwardedTokens } from './forwarded-token.ts'
import { OpenConnections } from './open-connections.ts'
import { PolicyPoint } from './policy-point.ts'
import { refusedPeer } from './refused-peer.ts'
import { type Asking, type Judge, requestGate } from './request-gate.ts'

export interface EnforceOptions extends NotesOptions {
  /** The port that the policy knows the listener by. Default: the one that connections come in on. */
  readonly port?: number | undefined
  /** Verifies tokens that callers forward, where the policy has the service accept them: a `JwtSource`. */
  readonly tokens?: ForwardedTokens | undefined
}

/** Whoever the policy does not let in is refused by it, with a record; not before. */
const anybody: IdMatcher = { wants: 'anybody', matches: () => true }

/** Only servers of HTTP have a time limit for whole connections; `node:tls` leaves that to its sockets. */
const isHttpServer = (server: unknown): boolean =>
  typeof (server as { readonly setTimeout?: unknown } | undefined)?.setTimeout === 'function'

/**
 * The enforcement point of one service: asks the policy about each connection and each request, keeps account of both, and asks
 * again about open connections whenever the answer may have changed. `enforce` puts one before a server; servers that are made of
 * options take its `serverOptions`.
 *
 * @example
 * ```ts
 * const enforcer = new Enforcer(source, { service: 'orders', policy })
 * server.bindAsync('0.0.0.0:8443', serverCredentials(source, enforcer.serverOptions), started)
 * ```
 * @see zones.md §3.5, §3.13
 */
export class Enforcer implements Disposable {
  /** For `tlsServer`, `protect` and `serverCredentials`: whom the policy lets in, and the gate before each request. */
  readonly serverOptions: TlsServerOptions
  readonly #options: EnforceOptions
  readonly #source: TlsSource
  readonly #point: PolicyPoint
  readonly #notes: DecisionNotes
  readonly #open: OpenConnections

  constructor(source: TlsSource, options: EnforceOptions) {
    const { policy, service } = options
    this.#options = options
    this.#source = source
    this.#point = new PolicyPoint({ source, policy, service, clock: policy.clock })
    this.#notes = new DecisionNotes('server', this.#point, options)
    this.#open = new OpenConnections({ source, policy, service, point: this.#point, notes: this.#notes })
    const judge: Judge = {
      opened: (socket) => this.#open.announced(socket),
      ask: (asking) => this.#ask(asking),
    }
    this.serverOptions = {
      allow: anybody,
      admit: (peer, socket) => this.#admit(peer, socket),
      onRefused: (error, address, presented) => this.#unproven(error, address, presented),
      filter: requestGate(judge),
      connections: this.#open.all,
      clock: policy.clock,
    }
  }

  /** Those that are open, and how others ended. */
  get connections(): Connections {
    return this.#open.all
  }

  /** Looks at no open connection any more; new connections and requests are still decided. */
  [Symbol.dispose](): void {
    this.#open[Symbol.dispose]()
  }

  /** Resolves when the agent has everything that was decided so far: for the end of a process. */
  flushed(): Promise<void> {
    return this.#notes.flushed()
  }

  #ask(asking: Asking): string | undefined | Promise<string | undefined> {
    const enforced = asking.socket === undefined ? undefined : this.#open.of(asking.socket)
    // A request of a connection that was never let in: nothing vouches for it.
    if (enforced === undefined) return this.#stranger(asking)
    const { authorizations } = asking
    if (authorizations.length === 0) return this.#judge(enforced, asking, undefined)
    const { tokens } = this.#options
    const jwt = forwardedToken(authorizations, this.#point.acceptJwtFrom(enforced.peer.id), tokens)
    if (!(jwt instanceof Promise)) return this.#judge(enforced, asking, jwt)
    return jwt.then((verified) => this.#judge(enforced, asking, verified))
  }

  /** Stages 0 to 2, and for raw streams stage 3, before a byte is read. */
  #admit(peer: VerifiedPeer, socket: TLSSocket): void {
    const facts = this.#connectionFacts(socket)
    const enforced = new EnforcedConnection(peer, socket, facts, this.#options.policy.clock.now().getTime())
    const { asked } = enforced
    const decision = this.#point.decide(asked)
    // Of HTTP the requests are what is recorded, unless there is to be none.
    const isRecorded = facts.protocol === 'tcp' || decision.raw === 'deny'
    const id = isRecorded ? this.#notes.take(asked, decision, { enforced }) : ''
    if (decision.decision === 'deny') {
      throw new SallyportError(
        'POLICY_DENIED',
        `Cannot let ${peer.id} in: ${decision.deniedBy} ${decision.code} (decision ${id})`,
      )
    }
    this.#open.add(socket, enforced, decision)
  }

  #judge(
    enforced: EnforcedConnection,
    { request, trace, becomesStream }: Asking,
    jwt: JwtFacts | undefined,
  ): string | undefined {
    const asked = { peer: enforced.peerFacts, connection: enforced.facts, request, jwt }
    const decision = this.#point.decide(asked)
    const id = this.#notes.take(asked, decision, { enforced, trace })
    if (decision.decision === 'allow') {
      if (becomesStream) this.#open.becomesStream(enforced, request, jwt, decision)
      return undefined
    }
    // What is wrong with the caller of a token is nothing that its forwarder is. The answer goes out first.
    if (decision.deniedBy !== 'access' && decision.caller === null)
      setImmediate(() => this.#open.close(enforced, decision))
    return id
  }

  /** A handshake that proved nothing: the record says what (ZO-01). */
  #unproven(error: Error, address: string | undefined, presented: PresentedCertificate | undefined): void {
    const peer = refusedPeer(error, presented, this.#source, this.#options.policy.clock.now())
    if (peer === undefined) return
    const connection = { port: this.#options.port ?? 0, protocol: 'tcp' as const, alpn: null, ip: address ?? null }
    const asked = { peer, connection }
    this.#notes.take(asked, this.#point.decide(asked))
  }

  #stranger({ request }: Asking): string {
    const connection = { port: this.#options.port ?? 0, protocol: 'http' as const, alpn: null, ip: null }
    const asked = { peer: { refused: 'NO_PEER_IDENTITY' as const }, connection, request }
    return this.#notes.take(asked, this.#point.decide(asked))
  }

  #connectionFacts(socket: TLSSocket): ConnectionFacts {
    const { port = socket.localPort ?? 0 } = this.#options
    const declared = this.#point.service?.listeners.find((listener) => listener.port === port)?.protocol
    const isHttp = isHttpServer((socket as { readonly server?: unknown }).server)
    return {
      port,
      protocol: isHttp ? (declared === 'grpc' ? 'grpc' : 'http') : 'tcp',
      alpn: typeof socket.alpnProtocol === 'string' ? socket.alpnProtocol : null,
      ip: socket.remoteAddress ?? null,
    }
  }
}
