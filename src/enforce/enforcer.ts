import type { TLSSocket } from 'node:tls'
import { SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import type { Decision } from '../policy/decision.ts'
import type { ConnectionFacts, HttpFacts, JwtFacts } from '../policy/request.ts'
import { Connections } from '../tls/connections.ts'
import { findConnection } from '../tls/peer-of.ts'
import { Deadlines } from '../tls/deadlines.ts'
import type { TlsServerOptions } from '../tls/tls-server.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import type { VerifiedPeer } from '../tls/verified-peer.ts'
import type { PresentedCertificate } from '../tls/verify-peer.ts'
import type { PolicyChanges } from '../workload/policy-context.ts'
import { DecisionNotes, type NotesOptions } from './decision-notes.ts'
import { EnforcedConnection } from './enforced-connection.ts'
import { forwardedToken, type ForwardedTokens } from './forwarded-token.ts'
import { PolicyPoint } from './policy-point.ts'
import { refusedPeer } from './refused-peer.ts'
import { type Judge, requestGate } from './request-gate.ts'
import { identitiesIn } from './identities-in.ts'

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

/** How often connections are looked at while the policy grows old. */
const STALE_LOOK_MS = 5000

/**
 * The enforcement point of one service: asks the policy about each connection and each request, keeps account of both, and asks
 * again about open connections whenever the answer may have changed.
 *
 * @see zones.md §3.5, §3.13
 */
export class Enforcer implements Judge, Disposable {
  readonly connections: Connections
  /** For `tlsServer`, `protect` and `serverCredentials`. */
  readonly serverOptions: TlsServerOptions
  readonly #options: EnforceOptions
  readonly #source: TlsSource
  readonly #point: PolicyPoint
  readonly #notes: DecisionNotes
  readonly #deadlines: Deadlines
  readonly #bySocket = new WeakMap<object, EnforcedConnection>()
  readonly #listening: Disposable
  #staleLook: Disposable | undefined

  constructor(source: TlsSource, options: EnforceOptions) {
    const { policy, service } = options
    this.#options = options
    this.#source = source
    this.#point = new PolicyPoint({ source, policy, service, clock: policy.clock })
    this.#notes = new DecisionNotes('server', this.#point, options)
    this.#deadlines = new Deadlines(policy.clock)
    this.connections = new Connections({ clock: policy.clock })
    this.serverOptions = {
      allow: anybody,
      admit: (peer, socket) => this.#admit(peer, socket),
      onRefused: (error, address, presented) => this.#unproven(error, address, presented),
      filter: requestGate(this),
      connections: this.connections,
      clock: policy.clock,
    }
    this.#listening = policy.onChange((changes) => this.#reevaluate(changes))
    this.#lookWhileStale()
  }

  /** Looks at nothing any more; connections and requests are still decided. */
  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
    this.#staleLook?.[Symbol.dispose]()
  }

  /** Resolves when the agent has everything that was decided so far: for the end of a process. */
  flushed(): Promise<void> {
    return this.#notes.flushed()
  }

  opened(socket: TLSSocket): void {
    const enforced = this.#bySocket.get(socket)
    if (enforced !== undefined) enforced.connection = findConnection(socket)
  }

  ask(
    socket: object | undefined,
    request: HttpFacts,
    authorization: string | undefined,
    trace: string | undefined,
  ): string | undefined | Promise<string | undefined> {
    const enforced = socket === undefined ? undefined : this.#bySocket.get(socket)
    // A request of a connection that was never let in: nothing vouches for it.
    if (enforced === undefined) return this.#stranger(request)
    const { tokens } = this.#options
    const jwt = forwardedToken(authorization, this.#point.acceptJwtFrom(enforced.peer.id), tokens)
    if (!(jwt instanceof Promise)) return this.#judge(enforced, request, trace, jwt)
    return jwt.then((verified) => this.#judge(enforced, request, trace, verified))
  }

  becomesStream(socket: object, request: HttpFacts): void {
    const enforced = this.#bySocket.get(socket)
    if (enforced !== undefined) enforced.stream = request
  }

  /** Stages 0 to 2, and for raw streams stage 3, before a byte is read. */
  #admit(peer: VerifiedPeer, socket: TLSSocket): void {
    const facts = this.#connectionFacts(socket)
    const enforced = new EnforcedConnection(peer, socket, facts, this.#nowMs())
    const asked = { peer: enforced.peerFacts, connection: facts }
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
    this.#bySocket.set(socket, enforced)
    socket.once('close', () => enforced.deadline?.[Symbol.dispose]())
    this.#lookAgainAt(enforced, decision.expires)
  }

  #judge(
    enforced: EnforcedConnection,
    request: HttpFacts,
    trace: string | undefined,
    jwt: JwtFacts | undefined,
  ): string | undefined {
    const asked = { peer: enforced.peerFacts, connection: enforced.facts, request, jwt }
    const decision = this.#point.decide(asked)
    const id = this.#notes.take(asked, decision, { enforced, trace })
    if (decision.decision === 'allow') return undefined
    // The answer goes out first.
    if (decision.deniedBy !== 'access') setImmediate(() => this.#close(enforced, decision))
    return id
  }

  /** A handshake that proved nothing: the record says what (ZO-01). */
  #unproven(error: Error, address: string | undefined, presented: PresentedCertificate | undefined): void {
    const peer = refusedPeer(error, presented, this.#source, this.#options.policy.clock.now())
    if (peer === undefined) return
    const asked = {
      peer,
      connection: { port: this.#options.port ?? 0, protocol: 'tcp' as const, alpn: null, ip: address ?? null },
    }
    this.#notes.take(asked, this.#point.decide(asked))
  }

  #stranger(request: HttpFacts): string {
    const connection = { port: this.#options.port ?? 0, protocol: 'http' as const, alpn: null, ip: null }
    const asked = { peer: { refused: 'NO_PEER_IDENTITY' as const }, connection, request }
    return this.#notes.take(asked, this.#point.decide(asked))
  }

  /** Only connections that a change may concern are looked at. */
  #reevaluate({ slices, fastLane }: PolicyChanges): void {
    const own = this.#source.current().svid.spiffeId.toString()
    if (slices.includes(own)) return this.#lookAtAll('policy')
    if (fastLane === 'all') return this.#lookAtAll('fast lane')
    for (const event of fastLane) {
      const named = identitiesIn(event)
      if (named === 'all' || named.includes(own)) return this.#lookAtAll(event.kind)
      for (const id of named) for (const one of this.connections.peers.get(id) ?? []) this.#look(one.socket, event.kind)
    }
  }

  #lookAtAll(why: string): void {
    for (const { socket } of this.connections) this.#look(socket, why)
  }

  #look(socket: object, why: string): void {
    const enforced = this.#bySocket.get(socket)
    if (enforced === undefined) return
    const asked = { peer: enforced.peerFacts, connection: enforced.facts, request: enforced.stream }
    const decision = this.#point.decide(asked)
    if (decision.decision === 'allow') return this.#lookAgainAt(enforced, decision.expires)
    this.#notes.take(asked, decision, { enforced, reeval: why })
    this.#close(enforced, decision)
  }

  /** What is no longer who it was ends at once; what may no longer come finishes what it is doing. */
  #close({ connection }: EnforcedConnection, { deniedBy }: Decision): void {
    if (deniedBy === 'identity' || deniedBy === 'lifecycle') connection?.destroy('refused')
    else connection?.drain('refused', this.#settings.drainMs)
  }

  #lookAgainAt(enforced: EnforcedConnection, expiresMs: number): void {
    const { clock } = this.#options.policy
    const agesAtMs = enforced.openedAtMs + this.#settings.maxAgeMs
    const atMs = Math.min(expiresMs, agesAtMs)
    enforced.deadline?.[Symbol.dispose]()
    enforced.deadline = this.#deadlines.add(clock.monotonicMs() + Math.max(0, atMs - this.#nowMs()), () => {
      if (this.#nowMs() >= agesAtMs) enforced.connection?.drain('aged', this.#settings.drainMs)
      else if (enforced.connection !== undefined) this.#look(enforced.connection.socket, 'expired')
    })
  }

  /** No message comes when the age reaches its limit: that is what the limit is for. */
  #lookWhileStale(): void {
    this.#staleLook = this.#options.policy.clock.timer(STALE_LOOK_MS, () => {
      if (!this.#options.policy.closed.aborted && this.#point.context.status.stale) this.#lookAtAll('stale')
      this.#lookWhileStale()
    })
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

  get #settings(): { readonly maxAgeMs: number; readonly drainMs: number } {
    return this.#point.settings.connection
  }

  #nowMs(): number {
    return this.#options.policy.clock.now().getTime()
  }
}
