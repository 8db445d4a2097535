import type { SpiffeId } from '../id/spiffe-id.ts'
import type { Decision } from '../policy/decision.ts'
import type { Connection } from '../tls/connection.ts'
import type { ServerMatcher } from '../tls/tls-client.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { DecisionNotes, type NotesOptions } from './decision-notes.ts'
import { type Asked, PolicyPoint } from './policy-point.ts'

export interface EgressOptions extends NotesOptions {
  /** The port that the policy knows the listener by. Default: that of the service's only listener. */
  readonly port?: number | undefined
}

/**
 * The other half of enforcement, at the caller: lets a client talk to whoever is the service by the policy of now, and only
 * while this workload may reach it. It is asked after each handshake, before a byte is written, and again about open connections
 * when the policy changes. The destination asks, too.
 *
 * For `httpsAgent`, `dispatcher`, `connectHttp2`, `connectTls` and `channelCredentials`. Make one for each service.
 *
 * @example
 * ```ts
 * const orders = dispatcher(source, { server: egress(source, { service: 'orders', policy }) })
 * ```
 * @see zones.md §3.5
 */
export function egress(source: TlsSource, options: EgressOptions): ServerMatcher & Disposable {
  return new Egress(source, options)
}

class Egress implements ServerMatcher, Disposable {
  readonly wants: string
  readonly #source: TlsSource
  readonly #options: EgressOptions
  readonly #point: PolicyPoint
  readonly #notes: DecisionNotes
  readonly #open = new Set<Connection>()
  readonly #listening: Disposable
  #deadline: Disposable | undefined

  constructor(source: TlsSource, options: EgressOptions) {
    const { policy, service } = options
    this.wants = `the service ${service}, as far as the policy lets this workload reach it`
    this.#source = source
    this.#options = options
    this.#point = new PolicyPoint({ source, policy, service, clock: policy.clock })
    this.#notes = new DecisionNotes('client', this.#point, options)
    this.#listening = policy.onChange(() => this.#look('policy'))
  }

  /** Looks at no open connection any more. */
  [Symbol.dispose](): void {
    this.#listening[Symbol.dispose]()
    this.#deadline?.[Symbol.dispose]()
  }

  matches(id: SpiffeId): boolean {
    const { service } = this.#point
    if (service !== undefined && this.#pathOf(id) !== service.identity) return false
    const asked = this.#asked()
    const decision = this.#point.decide(asked)
    // What is allowed is counted where it arrives.
    if (decision.raw === 'deny') this.#notes.take(asked, decision)
    return decision.decision === 'allow'
  }

  connected(connection: Connection): void {
    this.#open.add(connection)
    connection.socket.once('close', () => this.#open.delete(connection))
    this.#lookAgain(this.#point.decide(this.#asked()))
  }

  /** One answer holds for all of them: this workload, and this service. */
  #look(why: string): void {
    // Who has become nobody has nothing to ask with; its connections end with their certificates.
    if (this.#open.size === 0 || this.#point.own === undefined) return
    const asked = this.#asked()
    const decision = this.#point.decide(asked)
    if (decision.decision === 'allow') return this.#lookAgain(decision)
    this.#notes.take(asked, decision, { reeval: why })
    const isAtOnce = decision.deniedBy === 'identity' || decision.deniedBy === 'lifecycle'
    for (const connection of [...this.#open]) {
      if (isAtOnce) connection.destroy('refused')
      else connection.drain('refused', this.#point.settings.connection.drainMs)
    }
  }

  #lookAgain({ expires }: Decision): void {
    this.#deadline?.[Symbol.dispose]()
    if (expires === Infinity) return
    const { clock } = this.#options.policy
    this.#deadline = clock.timer(Math.max(0, expires - clock.now().getTime()), () => this.#look('expired'))
  }

  #asked(): Asked {
    const { svid } = this.#source.current()
    const [leaf] = svid.chain
    const { port } = this.#options
    const listener = this.#point.service?.listeners.find((one) => port === undefined || one.port === port)
    return {
      peer: {
        spiffeId: svid.spiffeId.toString(),
        serialNumber: leaf.serialNumber.toString(16),
        notAfter: leaf.notAfter.getTime(),
      },
      connection: {
        port: port ?? listener?.port ?? 0,
        protocol: listener?.protocol ?? 'tcp',
        alpn: listener?.alpn[0] ?? null,
        ip: null,
      },
    }
  }

  /** Services live in the own trust domain. */
  #pathOf(id: SpiffeId): string | undefined {
    return id.isMemberOf(this.#source.current().svid.spiffeId.trustDomain) ? id.path : undefined
  }
}
