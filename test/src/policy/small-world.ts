import fc from 'fast-check'
import type { BreakGlassSession, Grant, Lifecycle } from '../../../src/policy/lifecycle.ts'
import type { RegisteredIdentity } from '../../../src/policy/membership.ts'
import type { Conduit, Guard, PolicySet, Rule, Service, Zone } from '../../../src/policy/policy-set.ts'
import type { PolicyRequest } from '../../../src/policy/request.ts'
import { acme, conduit, entry, guard, HOUR, idOf, MINUTE, NOW, rule } from './acme.ts'

/** Random policies over few names, so that candidates meet: three zones, three services, a partner. */
export interface SmallWorld {
  readonly set: PolicySet
  readonly entries: readonly RegisteredIdentity[]
  readonly lifecycle: Lifecycle
  readonly request: PolicyRequest
}

export const zoneNames = ['a', 'b', 'c'] as const
export const paths = ['/a/x', '/a/y', '/b/x', '/b/y', '/c/x', '/n/x'] as const
const PARTNER = 'spiffe://partner.example/billing/settle'
const services = ['/a/x', '/b/x', '/c/x'].map((identity, index) => `s${index}:${identity}`)

/** The first in most worlds, so that refusals do not pile up. */
const mostly = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(...others) })

const zoneName = fc.constantFrom(...zoneNames)
const serviceName = fc.constantFrom('s0', 's1', 's2')
const pattern = fc.constantFrom(...paths, '/a/*', '/b/**', '/*/x', 'spiffe://partner.example/**')
const localPattern = fc.constantFrom(...paths, '/a/*', '/b/**', '/*/x')
const actionName = fc.constantFrom('read', 'write')
const valid = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ from: undefined, until: undefined }) },
  {
    weight: 1,
    arbitrary: fc.record({
      from: fc.constantFrom(undefined, NOW - HOUR, NOW, NOW + MINUTE),
      until: fc.constantFrom(undefined, NOW - HOUR, NOW, NOW + MINUTE),
    }),
  },
)
const stage = mostly<'live' | 'draft'>('live', 'draft')
const when = fc.constantFrom(
  undefined,
  undefined,
  'src.labels["env"] == "prod"',
  'src.target < dst.target',
  'req.method == "GET"',
  'dst.labels has "env"',
  'net.ip in cidr("10.0.0.0/8") && src.zone in ["a", "b"]',
)
const few = <T>(item: fc.Arbitrary<T>, maxLength = 4) => fc.array(item, { maxLength })
const optional = <T>(item: fc.Arbitrary<T>) => fc.option(item, { nil: undefined })

const rarely = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant<T[]>([]) }, { weight: 1, arbitrary: few(item, 2) })

const usually = <T>(item: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 8, arbitrary: item }, { weight: 1, arbitrary: fc.constant(undefined) })

const zone = (id: string): fc.Arbitrary<Zone> =>
  fc.record({
    id: fc.constant(id),
    target: fc.constantFrom(1 as const, 2 as const, 3 as const),
    sensitivity: fc.constantFrom('internal' as const, 'restricted' as const),
    admin: fc.constantFrom('none' as const, 'operate' as const),
    mode: fc.constantFrom('enforce' as const, 'observe' as const),
    enforceOnly: fc.constantFrom([], [8443]),
    owner: fc.constant('team'),
    crownJewel: mostly(false, true),
    audiences: fc.constant([]),
    hardStaleMs: fc.constantFrom(undefined, HOUR),
    members: rarely<Zone['members'][number]>(
      fc.constantFrom({ spiffe: '/*/y' }, { entryLabel: { env: 'stage' } }, { selector: `unix:group:${id}` }),
    ).map((more) => [{ spiffe: `/${id}/**` }, ...more]),
  })

const external: Zone = { ...acme.zones[6]!, id: 'ext', audiences: ['sts'] }

const service = (text: string): fc.Arbitrary<Service> => {
  const [id = '', identity = ''] = text.split(':')
  return fc.record({
    id: fc.constant(id),
    identity: fc.constant(identity),
    authorities: mostly<string[]>(['s'], []),
    listeners: mostly<Service['listeners']>(
      [{ name: 'api', port: 8443, protocol: 'http' as const, alpn: ['h2'] }],
      [{ name: 'raw', port: 8443, protocol: 'tcp' as const, alpn: [] }],
    ),
    acceptJwt: optional(fc.record({ audience: fc.constant(id), forwarders: few(localPattern, 2) })),
    honoursMethodOverride: fc.boolean(),
    actions: fc.constant([
      {
        name: 'read',
        pivot: true,
        match: [{ kind: 'http' as const, methods: ['GET'], path: '/v1/{id}', upgrade: undefined }],
      },
      {
        name: 'write',
        pivot: true,
        match: [
          { kind: 'http' as const, methods: ['POST'], path: '/v1/{id}', upgrade: undefined },
          { kind: 'connect' as const },
        ],
      },
    ]),
  })
}

const anyZone = fc.constantFrom(...zoneNames, ...zoneNames, 'ext')
const identities = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: few(pattern, 2) })
const endpoint = fc.record({ zone: anyZone, identities })

const anyConduit: fc.Arbitrary<Omit<Conduit, 'id'>> = fc
  .record({
    from: endpoint,
    to: endpoint,
    valid,
    stage,
    window: mostly<Conduit['window']>(
      undefined,
      { fromMinute: 60, toMinute: 180, tz: 'UTC' },
      { fromMinute: 780, toMinute: 790, tz: 'Europe/Berlin' },
    ),
    allow: mostly<Conduit['allow']>(
      [{ protocol: 'http', ports: [8443] }],
      [{ protocol: 'tcp' as const, ports: [8443] }],
      [{ protocol: 'http' as const, ports: [1] }],
    ),
  })
  .map((change) => conduit('', 'a', 'b', change))

const anyRule: fc.Arbitrary<Omit<Rule, 'id'>> = fc
  .record({
    effect: fc.constantFrom('allow' as const, 'allow' as const, 'deny' as const),
    from: fc.array(
      fc.oneof(
        pattern.map((pattern) => ({ pattern })),
        zoneName.map((zone) => ({ zone })),
      ),
      { minLength: 1, maxLength: 2 },
    ),
    to: serviceName,
    actions: fc.uniqueArray(actionName, { minLength: 1 }),
    when,
    valid,
    stage,
  })
  .map((change) => rule('', change.from, change.to, change))

const anyGuard: fc.Arbitrary<Omit<Guard, 'id'>> = fc
  .record({
    gate: fc.constantFrom('movement' as const, 'access' as const),
    from: fc.constantFrom(
      {},
      { maxTarget: 1 as const },
      { zone: 'a' },
      { notZone: 'b' },
      { identities: ['/a/*'] },
      { service: 's1' },
    ),
    to: fc.constantFrom(
      { zone: 'c' },
      { minTarget: 3 as const },
      { service: 's0', actions: ['write'] },
      { actions: ['read'] },
      { crownJewel: true },
    ),
    except: few(fc.constantFrom('c0', 'c1', 'r0', 'r1'), 2),
    hard: fc.boolean(),
    when,
  })
  .map((change) => guard('', change.gate, change))

const named = <T>(items: readonly T[], letter: string): (T & { readonly id: string })[] =>
  items.map((item, index) => ({ ...item, id: `${letter}${index}` }))

const template = acme.grantTemplates[0]!
const both = [
  { protocol: 'http' as const, ports: [8443] },
  { protocol: 'tcp' as const, ports: [8443] },
]
export const anySet: fc.Arbitrary<PolicySet> = fc
  .record({
    zones: fc.tuple(zone('a'), zone('b'), zone('c')),
    services: fc.tuple(service(services[0]!), service(services[1]!), service(services[2]!)),
    conduits: fc.array(anyConduit, { minLength: 4, maxLength: 12 }),
    rules: fc.array(anyRule, { minLength: 4, maxLength: 14 }),
    guards: fc.oneof(fc.constant([]), few(anyGuard, 2)),
    grantTo: serviceName,
  })
  .map(({ zones, services, conduits, rules, guards, grantTo }) => ({
    ...acme,
    federation: [{ trustDomain: 'partner.example', accept: ['/billing/**'], zone: 'ext' }],
    zones: [...zones, external],
    services,
    conduits: named(conduits, 'c'),
    rules: named(rules, 'r'),
    guards: named(guards, 'g'),
    grantTemplates: [
      {
        ...template,
        subject: ['/a/*'],
        movement: { from: { zone: 'a', identities: undefined }, to: { zone: 'b', identities: undefined }, allow: both },
        access: { to: grantTo, actions: ['read', 'write'] },
      },
    ],
    breakGlass: [{ ...acme.breakGlass[0]!, from: ['a'], to: ['b', 'c'] }],
  }))

const grant = (to: string): fc.Arbitrary<Grant> =>
  fc.record({
    id: fc.constantFrom('g1', 'g2'),
    template: fc.constant(template.id),
    subject: fc.constantFrom('/a/x', '/a/y').map(idOf),
    movement: mostly<Grant['movement']['allow']>(both, [...both, { protocol: 'tcp', ports: [1] }]).map((allow) => ({
      from: { zone: 'a' },
      to: { zone: 'b', identities: undefined },
      allow,
    })),
    access: fc.constant({ to, actions: ['read'] }),
    from: fc.constantFrom(NOW - MINUTE, NOW + MINUTE),
    until: fc.constantFrom(NOW, NOW + HOUR),
    requester: fc.constant('user:ada'),
    approvers: fc.constant(['user:grace']),
  })

const session: fc.Arbitrary<BreakGlassSession> = fc.record({
  id: fc.constantFrom('b1', 'b2'),
  declaration: fc.constant('bg-orders'),
  subjects: fc.constant(['/a/x', '/a/y'].map(idOf)),
  from: fc.constant(['a']),
  to: fc.constantFrom(['b'], ['b', 'c']),
  overrides: fc.constantFrom(['default-deny', 'rules'] as const, ['rules'] as const),
  since: fc.constantFrom(NOW - MINUTE, NOW + MINUTE),
  until: fc.constantFrom(NOW, NOW + 30 * MINUTE),
  startedBy: fc.constant(['user:ada', 'user:grace']),
})

const lifecycleOf = (set: PolicySet): fc.Arbitrary<Lifecycle> =>
  fc.record({
    sequence: fc.constant(1),
    quarantines: rarely(
      fc.record({
        id: fc.constant('q'),
        target: fc.oneof(
          fc.constantFrom(...paths).map((path) => ({ identity: idOf(path) })),
          zoneName.map((zone) => ({ zone })),
        ),
        forensics: fc.constantFrom([], ['c0', 'c1', 'c2']),
        reason: fc.constant(''),
        since: fc.constant(0),
      }),
    ),
    offboarded: rarely(fc.constantFrom(...paths).map(idOf)),
    grants: fc.uniqueArray(grant(set.grantTemplates[0]?.access.to ?? ''), { maxLength: 2, selector: ({ id }) => id }),
    breakGlass: few(session, 1),
    revokedSerials: rarely(fc.constant({ spiffeId: idOf('/a/x'), serialNumber: '1' })),
  })

const anyEntries: fc.Arbitrary<RegisteredIdentity[]> = few(
  fc
    .tuple(
      fc.constantFrom(...paths),
      fc.constantFrom({}, { env: 'prod' }, { env: 'stage' }, { other: 'x' }),
      fc.constantFrom([], ['unix:group:a'], ['unix:group:b']),
    )
    .map(([path, labels, selectors]) => entry(path, labels as Record<string, string>, selectors)),
  6,
)

export const anyId = fc.constantFrom(
  ...paths.map(idOf),
  ...paths.map(idOf),
  PARTNER,
  'spiffe://partner.example/hr',
  'spiffe://evil.example/a/x',
)

const jwt = fc.oneof(
  fc.constantFrom({ refused: 'JWT_INVALID' as const }),
  fc.record({
    spiffeId: anyId,
    audience: few(fc.constantFrom('s0', 's1', 's2', 'sts'), 2),
    expiresAt: fc.constantFrom(NOW, NOW + MINUTE),
  }),
)

export const anyRequest: fc.Arbitrary<PolicyRequest> = fc
  .record({
    now: fc.constant(NOW),
    policyAgeMs: mostly(0, 10 * MINUTE),
    peer: fc.record({
      spiffeId: anyId,
      serialNumber: fc.constantFrom('1', '2'),
      notAfter: mostly(NOW + HOUR, NOW + HOUR, NOW),
    }),
    service: fc.oneof({ weight: 12, arbitrary: serviceName }, { weight: 1, arbitrary: fc.constant('none') }),
    connection: fc.record({
      port: mostly(8443, 8443, 1),
      protocol: mostly<'http' | 'tcp'>('http', 'tcp'),
      alpn: mostly<string | null>('h2', 'h2', null),
      ip: fc.constantFrom('10.0.0.1', '11.0.0.1', null),
    }),
    request: usually(
      fc.record({
        method: mostly('GET', 'POST', 'POST', 'PUT'),
        target: mostly('/v1/x', '//', '/v2'),
        authorities: mostly<string[]>(['s'], ['s'], ['t'], []),
        upgrade: fc.constant(null),
        methodOverride: mostly<string | null>(null, 'POST'),
        isGrpc: fc.constant(false),
      }),
    ),
    jwt: optional(jwt),
  })
  .map(({ request, jwt, ...rest }) => ({
    ...rest,
    ...(request === undefined ? {} : { request }),
    ...(jwt === undefined ? {} : { jwt }),
  }))

const randomWorld: fc.Arbitrary<SmallWorld> = anySet.chain((set) =>
  fc.record({ set: fc.constant(set), entries: anyEntries, lifecycle: lifecycleOf(set), request: anyRequest }),
)

/** A request that speaks to its service as the service listens. */
function wellSpoken(request: PolicyRequest, { listeners }: Service): PolicyRequest {
  const { protocol = 'http', alpn: [alpn = null] = [] } = listeners[0] ?? {}
  const { request: http, ...rest } = request
  return {
    ...rest,
    policyAgeMs: 0,
    peer: 'notAfter' in request.peer ? { ...request.peer, notAfter: NOW + HOUR } : request.peer,
    connection: { ...request.connection, port: 8443, protocol, alpn },
    ...(protocol === 'tcp' || http === undefined ? {} : { request: { ...http, target: '/v1/x', authorities: ['s'] } }),
  }
}

/** Of the worlds most are led to where candidates are: a conduit between the zones that are asked, a request that fits. */
export const anyWorld: fc.Arbitrary<SmallWorld> = fc
  .tuple(randomWorld, anyConduit, anyRule, fc.constantFrom('none', 'conduit', 'conduit', 'both', 'both', 'both'))
  .map(([world, conduit, rule, lead]) => {
    const { set, request } = world
    const service = set.services.find(({ id }) => id === request.service)
    const source = 'spiffeId' in request.peer ? request.peer.spiffeId : ''
    if (service === undefined || lead === 'none') return world
    const zoneOf = (path: string): string => /^(?:spiffe:..prod[^/]*)?.([abc])./.exec(path)?.[1] ?? 'ext'
    const { protocol = 'http' } = service.listeners[0] ?? {}
    const path: Conduit = {
      ...conduit,
      id: 'c99',
      from: { zone: zoneOf(source), identities: undefined },
      to: { zone: zoneOf(service.identity), identities: undefined },
      allow: [{ protocol, ports: [8443] }],
    }
    const subject = source.startsWith('spiffe://prod') ? source.slice(idOf('').length) : source
    const right: Rule = { ...rule, id: 'r99', to: service.id, from: [{ pattern: subject }, ...rule.from] }
    const rules = lead === 'both' ? [...set.rules, right] : set.rules
    const steered = { ...set, conduits: [...set.conduits, path], rules }
    return { ...world, set: steered, request: wellSpoken(request, service) }
  })
