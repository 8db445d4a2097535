import type { IdMatcher } from '../id/matcher.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import type { Service } from '../policy/policy-set.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { DecisionNotes, type NotesOptions } from './decision-notes.ts'
import { PolicyPoint } from './policy-point.ts'

export interface EgressOptions extends NotesOptions {
  /** The port that the policy knows the listener by. Default: that of the service's only listener. */
  readonly port?: number | undefined
}

/**
 * The other half of enforcement, at the caller: lets a client talk to whoever is the service by the policy of now, and only
 * while this workload may reach it. It is asked after each handshake, before a byte is written. The destination asks again.
 *
 * @example
 * ```ts
 * const orders = dispatcher(source, { server: egress(source, { service: 'orders', policy }) })
 * ```
 * @see zones.md §3.5
 */
export function egress(source: TlsSource, options: EgressOptions): IdMatcher {
  const { policy, service } = options
  const point = new PolicyPoint({ source, policy, service, clock: policy.clock })
  const notes = new DecisionNotes('client', point, options)
  return {
    wants: `the service ${service}, as far as the policy lets this workload reach it`,
    matches(id) {
      const known = point.service
      if (known !== undefined && pathOf(id, source) !== known.identity) return false
      const asked = askedFor(source, known, options.port)
      const decision = point.decide(asked)
      // What is allowed is counted where it arrives.
      if (decision.raw === 'deny') notes.take(asked, decision)
      return decision.decision === 'allow'
    },
  }
}

function askedFor(source: TlsSource, service: Service | undefined, port: number | undefined) {
  const { svid } = source.current()
  const [leaf] = svid.chain
  const listener = service?.listeners.find((one) => port === undefined || one.port === port)
  return {
    peer: {
      spiffeId: svid.spiffeId.toString(),
      serialNumber: leaf.serialNumber.toString(16),
      notAfter: leaf.notAfter.getTime(),
    },
    connection: {
      port: port ?? listener?.port ?? 0,
      protocol: listener?.protocol ?? ('tcp' as const),
      alpn: listener?.alpn[0] ?? null,
      ip: null,
    },
  }
}

/** Services live in the own trust domain. */
const pathOf = (id: SpiffeId, source: TlsSource): string | undefined =>
  id.isMemberOf(source.current().svid.spiffeId.trustDomain) ? id.path : undefined
