import type { Listener, PolicyTest, Service } from '../policy/policy-set.ts'
import type { PolicyRequest } from '../policy/request.ts'
import type { Tables } from '../policy/tables.ts'

/** What is asked for by tests and by `policy explain`: as much as a person writes down. */
export type Sample = Pick<PolicyTest, 'from' | 'to' | 'http' | 'rpc' | 'port' | 'at'>

const HOUR_MS = 3_600_000

/**
 * The request that a healthy peer would make: a fresh policy, an SVID with an hour to go, the ALPN and the authority that the
 * service wants.
 */
export function sampleRequest({ set }: Tables, sample: Sample, now: number): PolicyRequest {
  const at = sample.at ?? now
  const service = set.services.find(({ id }) => id === sample.to)
  const listener = listenerFor(service, sample)
  return {
    now: at,
    policyAgeMs: 0,
    peer: { spiffeId: wholeId(sample.from, set.trustDomain), serialNumber: '1', notAfter: at + HOUR_MS },
    service: sample.to,
    connection: {
      port: sample.port ?? listener?.port ?? 443,
      protocol: sample.http !== undefined ? 'http' : sample.rpc !== undefined ? 'grpc' : (listener?.protocol ?? 'tcp'),
      alpn: listener?.alpn[0] ?? null,
      ip: null,
    },
    request: factsOf(sample, service?.authorities[0]),
  }
}

/** `/ns/web/sa/x` → the whole id. */
export const wholeId = (written: string, trustDomain: string): string =>
  written.startsWith('/') ? `spiffe://${trustDomain}${written}` : written

function listenerFor(service: Service | undefined, { http, rpc, port }: Sample): Listener | undefined {
  const listeners = service?.listeners.filter((listener) => port === undefined || listener.port === port) ?? []
  const wanted = http !== undefined ? 'http' : rpc !== undefined ? 'grpc' : 'tcp'
  return listeners.find(({ protocol }) => protocol === wanted) ?? listeners[0]
}

function factsOf({ http, rpc }: Sample, authority: string | undefined): PolicyRequest['request'] {
  const common = { authorities: authority === undefined ? [] : [authority], upgrade: null, methodOverride: null }
  if (http !== undefined) return { ...common, method: http.method, target: http.path, isGrpc: false }
  if (rpc !== undefined) return { ...common, method: 'POST', target: `/${rpc}`, isGrpc: true }
  return undefined
}
