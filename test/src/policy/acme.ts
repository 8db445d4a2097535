import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { compile } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import type { Decision } from '../../../src/policy/decision.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE, type BreakGlassSession, type Grant, type Lifecycle } from '../../../src/policy/lifecycle.ts'
import type { IdentityRow, RegisteredIdentity } from '../../../src/policy/membership.ts'
import type { Conduit, Guard, PolicySet, Rule, Zone } from '../../../src/policy/policy-set.ts'
import type { HttpFacts, JwtFacts, PeerFacts, PolicyRequest } from '../../../src/policy/request.ts'
import { resolveMembership } from '../../../src/policy/resolve-membership.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'

/** The worked example of zones.md §3.15, and requests to it. */
export const NOW = Date.parse('2026-11-20T12:00:00Z')
export const MINUTE = 60_000
export const HOUR = 60 * MINUTE

const vector = join(import.meta.dirname, '../../vectors/policy/acme-prod.yaml')
export const acme: PolicySet = readPolicy(readFileSync(vector, 'utf8'))

export const idOf = (path: string): string =>
  path === '' || path.startsWith('/') ? `spiffe://prod.acme.example${path}` : path

const registered: readonly RegisteredIdentity[] = [
  ...['storefront', 'blog', 'canary'].map((name) => entry(`/ns/web/sa/${name}`, { env: 'prod' })),
  entry('/ns/web/sa/stage', { env: 'stage' }),
  entry('/ns/web/sa/nolabel'),
  entry('/ns/shop/sa/pci-proxy', { pci: 'true' }),
  entry('/ns/shop/sa/both', { pci: 'true' }, ['unix:group:sre']),
]

export function entry(
  path: string,
  labels: Readonly<Record<string, string>> = {},
  selectors: readonly string[] = [],
): RegisteredIdentity {
  return { spiffeId: idOf(path), labels, selectors }
}

export const rowsOf = (set: PolicySet, entries: readonly RegisteredIdentity[] = registered): IdentityRow[] =>
  resolveMembership(set, entries)

export interface Asked {
  readonly from?: string
  readonly to?: string
  readonly peer?: PeerFacts
  readonly http?: Partial<HttpFacts>
  readonly grpc?: string
  /** Bytes on a TCP listener, or a connection without a request. */
  readonly bare?: boolean
  readonly connection?: Partial<PolicyRequest['connection']>
  readonly jwt?: JwtFacts
  readonly at?: number
  readonly policyAgeMs?: number
}

const listeners: Readonly<Record<string, PolicyRequest['connection']>> = {
  ledger: { port: 9443, protocol: 'grpc', alpn: 'h2', ip: '10.20.3.17' },
  'orders-db': { port: 5432, protocol: 'tcp', alpn: 'postgresql', ip: '10.20.3.17' },
}

/** By default storefront reads an order; what a case says replaces that. */
export function requestOf({ from = '/ns/web/sa/storefront', to = 'orders', at = NOW, ...asked }: Asked): PolicyRequest {
  const plain: HttpFacts = {
    method: asked.grpc === undefined ? 'GET' : 'POST',
    target: asked.grpc ?? '/v1/orders/1',
    authorities: to === 'orders' ? ['orders.shop.svc'] : [],
    upgrade: null,
    methodOverride: null,
    isGrpc: asked.grpc !== undefined,
  }
  const isBare = asked.bare === true || to === 'orders-db'
  return {
    now: at,
    policyAgeMs: asked.policyAgeMs ?? 3000,
    peer: asked.peer ?? { spiffeId: idOf(from), serialNumber: '4f910c', notAfter: at + HOUR },
    service: to,
    connection: { port: 8443, protocol: 'http', alpn: 'h2', ip: '10.20.3.17', ...listeners[to], ...asked.connection },
    ...(isBare ? {} : { request: { ...plain, ...asked.http } }),
    ...(asked.jwt === undefined ? {} : { jwt: asked.jwt }),
  }
}

export interface World {
  readonly set?: PolicySet
  readonly rows?: readonly IdentityRow[]
  readonly lifecycle?: Partial<Lifecycle> | undefined
}

export function decideIn({ set = acme, rows = rowsOf(set), lifecycle = {} }: World, asked: Asked): Decision {
  return decide(compile(set, rows), indexLifecycle({ ...NO_LIFECYCLE, ...lifecycle }), requestOf(asked))
}

/** What most tests ask of a decision: `allow`, or the stage and code of the refusal. */
export const verdictOf = ({ decision, deniedBy, code }: Decision): string =>
  deniedBy === null ? decision : `${decision} ${deniedBy} ${code}`

export const withZone = (id: string, change: Partial<Zone>, set = acme): PolicySet => ({
  ...set,
  zones: set.zones.map((zone) => (zone.id === id ? { ...zone, ...change } : zone)),
})

export const withConduit = (id: string, change: Partial<Conduit>, set = acme): PolicySet => ({
  ...set,
  conduits: set.conduits.map((conduit) => (conduit.id === id ? { ...conduit, ...change } : conduit)),
})

export const withRule = (id: string, change: Partial<Rule>, set = acme): PolicySet => ({
  ...set,
  rules: set.rules.map((rule) => (rule.id === id ? { ...rule, ...change } : rule)),
})

export const withMore = (
  more: { readonly [Part in 'conduits' | 'rules' | 'guards' | 'zones' | 'services']?: PolicySet[Part] },
  set = acme,
): PolicySet => ({
  ...set,
  conduits: [...set.conduits, ...(more.conduits ?? [])],
  rules: [...set.rules, ...(more.rules ?? [])],
  guards: [...set.guards, ...(more.guards ?? [])],
  zones: [...set.zones, ...(more.zones ?? [])],
  services: [...set.services, ...(more.services ?? [])],
})

export function conduit(id: string, from: string, to: string, change: Partial<Conduit> = {}): Conduit {
  return {
    id,
    from: { zone: from, identities: undefined },
    to: { zone: to, identities: undefined },
    allow: [{ protocol: 'http', ports: [8443] }],
    valid: { from: undefined, until: undefined },
    window: undefined,
    owner: 'team',
    justification: 'because',
    review: NOW,
    stage: 'live',
    use: 'normal',
    ...change,
  }
}

export function rule(id: string, from: Rule['from'], to: string, change: Partial<Rule> = {}): Rule {
  return {
    id,
    effect: 'allow',
    from,
    to,
    actions: ['read'],
    when: undefined,
    valid: { from: undefined, until: undefined },
    owner: 'team',
    stage: 'live',
    use: 'normal',
    ...change,
  }
}

export function guard(id: string, gate: Guard['gate'], change: Partial<Guard> = {}): Guard {
  return { id, gate, from: {}, to: {}, except: [], hard: false, when: undefined, ...change }
}

export const bastionGrant: Grant = {
  id: 'g1',
  template: 'oncall-orders-db',
  subject: idOf('/ns/ops/sa/bastion'),
  movement: {
    from: { zone: 'ops' },
    to: { zone: 'data', identities: ['/ns/data/sa/pg-orders'] },
    allow: [{ protocol: 'tcp', ports: [5432] }],
  },
  access: { to: 'orders-db', actions: ['connect'] },
  from: NOW - 10 * MINUTE,
  until: NOW + HOUR,
  requester: 'user:ada',
  approvers: ['user:grace'],
}

export const opsSession: BreakGlassSession = {
  id: 'bg1',
  declaration: 'bg-orders',
  subjects: [idOf('/ns/ops/sa/bastion')],
  from: ['ops'],
  to: ['shop', 'data'],
  overrides: ['default-deny', 'rules'],
  since: NOW - 10 * MINUTE,
  until: NOW + 30 * MINUTE,
  startedBy: ['user:ada', 'user:grace'],
}

export const quarantineOf = (
  target: Lifecycle['quarantines'][number]['target'],
  forensics: readonly string[] = [],
) => ({
  id: 'q1',
  target,
  forensics,
  reason: 'because',
  since: NOW - HOUR,
})
