import type { RegisteredIdentity } from '../src/policy/membership.ts'
import type { Conduit, PolicySet, Rule, Service, Zone } from '../src/policy/policy-set.ts'

/** How large a generated policy is. */
export interface FleetSize {
  readonly identities: number
  readonly zones: number
  readonly services: number
  readonly rules: number
}

export const TRUST_DOMAIN = 'fleet.example'
/** Every so many identities one is placed by a label, against its path. */
const EXPLICIT_EVERY = 100
const CONDUITS_PER_ZONE = 6

/**
 * A policy of a large fleet, the same for the same size: zones by namespace, services spread over them, each zone with conduits to a
 * few others, rules of exact ids, namespaces and zones, some with conditions, some that deny.
 */
export function fleetPolicy(size: FleetSize): PolicySet {
  return {
    name: 'fleet',
    trustDomain: TRUST_DOMAIN,
    owner: 'group:platform',
    settings: {
      pathProfile: 'strict',
      connection: { maxAgeMs: 3_600_000, drainMs: 5000 },
      bundle: { maxStaleMs: 600_000, hardStaleMs: undefined, onHardStale: 'deny' },
      x509TtlMs: {},
    },
    federation: [],
    zones: range(size.zones, zoneOf),
    services: range(size.services, (index) => serviceOf(index, size)),
    conduits: range(size.zones * CONDUITS_PER_ZONE, (index) => conduitOf(index, size)),
    guards: [
      {
        id: 'low-to-restricted',
        gate: 'movement',
        from: { maxTarget: 1 },
        to: { sensitivity: 'restricted' },
        except: [],
        hard: true,
        when: undefined,
      },
      {
        id: 'admin-from-operators',
        gate: 'access',
        from: { notAdmin: 'operate' },
        to: { actions: ['admin'] },
        except: [],
        hard: false,
        when: undefined,
      },
    ],
    rules: range(size.rules, (index) => ruleOf(index, size)),
    grantTemplates: [],
    breakGlass: [],
    tests: [],
    invariants: [],
  }
}

export const fleetEntries = (size: FleetSize): RegisteredIdentity[] =>
  range(size.identities, (index) => ({
    spiffeId: `spiffe://${TRUST_DOMAIN}${pathOf(index, size)}`,
    labels: {
      env: index % 10 === 0 ? 'stage' : 'prod',
      ...(index % EXPLICIT_EVERY === 7 ? { placed: `z${(index * 31) % size.zones}` } : {}),
    },
    selectors: ['unix:uid:1000'],
  }))

/** Identities are spread over the namespaces of the zones. */
export const pathOf = (index: number, { zones }: FleetSize): string =>
  `/ns/n${index % zones}/sa/s${Math.floor(index / zones)}`

/** The destination zones of a zone, and so the sources of a service. */
export const reachedFrom = (zone: number, step: number, { zones }: FleetSize): number => (zone + 1 + step * 7) % zones

const range = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))

const targets = [1, 2, 2, 3] as const

const zoneOf = (index: number): Zone => ({
  id: `z${index}`,
  target: targets[index % targets.length] ?? 1,
  sensitivity: index % 50 === 49 ? 'restricted' : 'internal',
  admin: index % 40 === 0 ? 'operate' : 'none',
  mode: 'enforce',
  enforceOnly: [],
  owner: `team-${index}`,
  crownJewel: index % 200 === 199,
  members: [{ spiffe: `/ns/n${index}/**` }, { entryLabel: { placed: `z${index}` } }],
  audiences: [],
  hardStaleMs: undefined,
})

const serviceOf = (index: number, size: FleetSize): Service => ({
  id: `svc${index}`,
  identity: pathOf(index, size),
  authorities: [`svc${index}.fleet`],
  listeners: [{ name: 'api', port: 8443, protocol: 'http', alpn: ['h2'] }],
  acceptJwt: undefined,
  honoursMethodOverride: false,
  actions: [
    {
      name: 'read',
      pivot: true,
      match: [
        { kind: 'http', methods: ['GET', 'HEAD'], path: '/v1/things/{id}', upgrade: undefined },
        { kind: 'http', methods: ['GET'], path: '/v1/things', upgrade: undefined },
      ],
    },
    {
      name: 'write',
      pivot: true,
      match: [{ kind: 'http', methods: ['POST'], path: '/v1/things', upgrade: undefined }],
    },
    {
      name: 'admin',
      pivot: true,
      match: [{ kind: 'http', methods: ['GET', 'POST'], path: '/admin/**', upgrade: undefined }],
    },
  ],
})

function conduitOf(index: number, size: FleetSize): Conduit {
  const [from, step] = [index % size.zones, Math.floor(index / size.zones)]
  return {
    id: `c${index}`,
    from: { zone: `z${from}`, identities: undefined },
    to: { zone: `z${reachedFrom(from, step, size)}`, identities: undefined },
    allow: [{ protocol: 'http', ports: [8443] }],
    valid: { from: undefined, until: undefined },
    window: step === 5 ? { fromMinute: 60, toMinute: 180, tz: 'Europe/Berlin' } : undefined,
    owner: 'team',
    justification: 'calls',
    review: 0,
    stage: 'live',
    use: 'normal',
  }
}

/** Of ten rules: seven name an identity of a zone that has a conduit, two a namespace or a zone, one denies. */
function ruleOf(index: number, size: FleetSize): Rule {
  const service = index % size.services
  const step = Math.floor(index / size.services)
  const source = (service - 1 - (step % CONDUITS_PER_ZONE) * 7 + 42 * size.zones) % size.zones
  const kind = step % 10
  const exact = pathOf(source + size.zones * (step % Math.max(1, Math.floor(size.identities / size.zones))), size)
  return {
    id: `r${index}`,
    effect: kind === 9 ? 'deny' : 'allow',
    from: kind === 7 ? [{ zone: `z${source}` }] : [{ pattern: kind === 8 ? `/ns/n${source}/**` : exact }],
    to: `svc${service}`,
    actions: kind === 9 ? ['write'] : ['read', 'write'],
    when: kind === 8 ? 'src.labels["env"] == "prod"' : undefined,
    valid: { from: undefined, until: undefined },
    owner: 'team',
    stage: 'live',
    use: 'normal',
  }
}
