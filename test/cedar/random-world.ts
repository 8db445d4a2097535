import type { RegisteredIdentity } from '../../src/policy/membership.ts'
import type {
  Conduit,
  Guard,
  PolicySet,
  Predicate,
  Protocol,
  Rule,
  Service,
  Subject,
  Target,
  Zone,
} from '../../src/policy/policy-set.ts'
import { printSallyport, randomCondition, type Condition } from './condition.ts'
import type { Random } from './random.ts'

export const TRUST_DOMAIN = 'example.org'
export const PARTNER = 'partner.example'
const DAY_MS = 86_400_000
export const NOW = Date.UTC(2026, 10, 20, 12, 30)

/** A policy, who is registered, and what is asked. */
export interface World {
  readonly set: PolicySet
  readonly entries: readonly RegisteredIdentity[]
  /** The trees of the conditions by their texts. */
  readonly conditions: ReadonlyMap<string, Condition>
  readonly questions: readonly Question[]
}

export interface Question {
  readonly id: string
  readonly service: string
  readonly port: number
  readonly protocol: Protocol
  readonly alpn: string | null
  readonly ip: string | null
  readonly now: number
  readonly http: { readonly method: string; readonly path: string; readonly authority: string | null } | undefined
}

const SEGMENTS = ['a', 'b', 'c']
const ZONES = ['z0', 'z1', 'z2', 'ext']

/** Small names and few of them, so that most things meet. */
export function randomWorld(random: Random): World {
  const conditions = new Map<string, Condition>()
  const when = (share: number): string | undefined => {
    if (!random.chance(share)) return undefined
    const condition = randomCondition(random)
    const text = printSallyport(condition)
    conditions.set(text, condition)
    return text
  }
  const services = ['s0', 's1'].map((id) => randomService(random, id))
  const conduits = random.list(6, 18, (n) => randomConduit(random, `c${n}`))
  const rules = random.list(4, 14, (n) => randomRule(random, `r${n}`, when))
  const guards = random.list(0, 2, (n) => randomGuard(random, `g${n}`, conduits, rules, when))
  const set: PolicySet = {
    name: 'random',
    trustDomain: TRUST_DOMAIN,
    owner: 'me',
    settings: {
      pathProfile: 'strict',
      connection: { maxAgeMs: 3_600_000, drainMs: 5000 },
      bundle: { maxStaleMs: 600_000, hardStaleMs: undefined, onHardStale: 'deny' },
      x509TtlMs: {},
    },
    federation: [{ trustDomain: PARTNER, accept: ['/a/**'], zone: 'ext' }],
    zones: ZONES.map((id) => randomZone(random, id)),
    services,
    conduits,
    guards,
    rules,
    grantTemplates: [],
    breakGlass: [],
    tests: [],
    invariants: [],
  }
  const entries = random.list(2, 8, () => randomEntry(random))
  return { set, entries, conditions, questions: Array.from({ length: 25 }, () => randomQuestion(random, set)) }
}

const path = (random: Random): string => `/${random.list(1, 3, () => random.of(SEGMENTS)).join('/')}`

function pattern(random: Random): string {
  const segments = random.list(1, 3, () => (random.chance(0.25) ? '*' : random.of(SEGMENTS)))
  if (random.chance(0.4)) segments[segments.length - 1] = '**'
  return `/${segments.join('/')}`
}

const anyPattern = (random: Random): string =>
  random.chance(0.15) ? `spiffe://${random.chance(0.8) ? PARTNER : TRUST_DOMAIN}${pattern(random)}` : pattern(random)

const targetOf = (random: Random): Target => random.of([0, 1, 2, 3, 4] as const)

function randomZone(random: Random, id: string): Zone {
  const member = () => {
    const kind = random.below(4)
    if (kind === 0) return { entryLabel: { [random.of(['env', 'tier'])]: random.of(['p', 's']) } }
    if (kind === 1)
      return {
        selector: random.of(['unix:uid:1', 'unix:uid:2']),
        ...(random.chance(0.3) ? { spiffe: pattern(random) } : {}),
      }
    return { spiffe: pattern(random) }
  }
  return {
    id,
    target: id === 'ext' ? 0 : targetOf(random),
    sensitivity: random.of(['public', 'internal', 'restricted'] as const),
    admin: random.of(['none', 'operate'] as const),
    mode: random.of(['enforce', 'observe'] as const),
    enforceOnly: [],
    owner: 'me',
    crownJewel: random.chance(0.2),
    members: id === 'ext' ? [] : [...baseMembers(random, id), ...random.list(0, 2, member)],
    audiences: [],
    hardStaleMs: undefined,
  }
}

/** Most ids are in some zone, else little is ever allowed. */
function baseMembers(random: Random, id: string): Zone['members'] {
  const patterns = { z0: ['/a', '/a/**'], z1: ['/b', '/b/**'], z2: ['/**'] }[id] ?? []
  return random.chance(0.85) ? patterns.map((spiffe) => ({ spiffe })) : []
}

function randomService(random: Random, id: string): Service {
  return {
    id,
    identity: path(random),
    authorities: random.chance(0.3) ? ['svc'] : [],
    listeners: [
      { name: 'web', port: 1000, protocol: 'http', alpn: random.chance(0.5) ? ['h2'] : [] },
      { name: 'raw', port: 1001, protocol: 'tcp', alpn: [] },
    ],
    acceptJwt: undefined,
    honoursMethodOverride: false,
    actions: [
      {
        name: 'get',
        pivot: true,
        match: [{ kind: 'http', methods: ['GET', 'HEAD'], path: '/x/{id}', upgrade: undefined }],
      },
      {
        name: 'put',
        pivot: true,
        match: [
          { kind: 'http', methods: ['POST'], path: '/x', upgrade: undefined },
          { kind: 'http', methods: ['POST'], path: '/y/**', upgrade: undefined },
        ],
      },
      { name: 'raw', pivot: true, match: [{ kind: 'connect' }] },
    ],
  }
}

const validity = (random: Random): Conduit['valid'] => ({
  from: random.chance(0.15) ? NOW + (random.below(3) - 1) * DAY_MS : undefined,
  until: random.chance(0.2) ? NOW + (random.below(3) - 1) * DAY_MS : undefined,
})

function randomConduit(random: Random, id: string): Conduit {
  const end = () => ({
    zone: random.of(['z0', 'z1', 'z2', 'z2', 'ext']),
    identities: random.chance(0.2) ? random.list(1, 2, () => anyPattern(random)) : undefined,
  })
  const window = {
    fromMinute: random.of([0, 750, 751, 1200]),
    toMinute: random.of([1, 752, 1199, 749]),
    tz: random.of(['UTC', 'Europe/Berlin']),
  }
  return {
    id,
    from: end(),
    to: end(),
    allow: random.list(1, 2, () =>
      random.of([
        { protocol: 'http', ports: [1000] },
        { protocol: 'tcp', ports: [1001] },
        { protocol: 'tcp', ports: [1000] },
      ] as const),
    ),
    valid: validity(random),
    window: random.chance(0.2) ? window : undefined,
    owner: 'me',
    justification: 'test',
    review: NOW,
    stage: random.chance(0.1) ? 'draft' : 'live',
    use: 'normal',
  }
}

const subject = (random: Random): Subject =>
  random.chance(0.4) ? { zone: random.of(ZONES) } : { pattern: anyPattern(random) }

function randomRule(random: Random, id: string, when: (share: number) => string | undefined): Rule {
  return {
    id,
    effect: random.chance(0.2) ? 'deny' : 'allow',
    from: random.list(1, 2, () => subject(random)),
    to: random.of(['s0', 's1']),
    actions: random.some(['get', 'put', 'raw'], 0.7),
    when: when(0.5),
    valid: validity(random),
    owner: 'me',
    stage: random.chance(0.1) ? 'draft' : 'live',
    use: 'normal',
  }
}

function randomGuard(
  random: Random,
  id: string,
  conduits: readonly Conduit[],
  rules: readonly Rule[],
  when: (share: number) => string | undefined,
): Guard {
  const gate = random.of(['movement', 'access'] as const)
  const predicate = (isTo: boolean): Predicate => ({
    ...(random.chance(0.3) ? { maxTarget: targetOf(random) } : {}),
    ...(random.chance(0.2) ? { minTarget: targetOf(random) } : {}),
    ...(random.chance(0.15) ? { zone: random.of(ZONES) } : {}),
    ...(random.chance(0.2) ? { notZone: random.of(ZONES) } : {}),
    ...(random.chance(0.2) ? { sensitivity: random.of(['public', 'internal', 'restricted'] as const) } : {}),
    ...(random.chance(0.15) ? { admin: 'none' as const } : {}),
    ...(random.chance(0.15) ? { notAdmin: 'operate' as const } : {}),
    ...(random.chance(0.1) ? { crownJewel: random.chance(0.5) } : {}),
    ...(random.chance(0.2) ? { identities: random.list(1, 2, () => anyPattern(random)) } : {}),
    ...(random.chance(0.15) ? { service: random.of(['s0', 's1']) } : {}),
    ...(isTo && gate === 'access' && random.chance(0.5) ? { actions: random.some(['get', 'put', 'raw'], 0.5) } : {}),
  })
  return {
    id,
    gate,
    from: predicate(false),
    to: predicate(true),
    except: random.some(
      (gate === 'movement' ? conduits : rules).map((object) => object.id),
      0.3,
    ),
    hard: random.chance(0.5),
    when: when(0.4),
  }
}

const randomEntry = (random: Random): RegisteredIdentity => ({
  spiffeId: `spiffe://${TRUST_DOMAIN}${path(random)}`,
  labels: Object.fromEntries(random.some(['env', 'tier'], 0.6).map((key) => [key, random.of(['p', 's'])])),
  selectors: random.some(['unix:uid:1', 'unix:uid:2'], 0.4),
})

function randomQuestion(random: Random, set: PolicySet): Question {
  const service = random.of(set.services)
  const isHttp = random.chance(0.75)
  const foreign = random.chance(0.15)
  return {
    id: `spiffe://${foreign ? PARTNER : TRUST_DOMAIN}${random.chance(0.15) ? service.identity : path(random)}`,
    service: service.id,
    port: random.chance(0.9) ? (isHttp ? 1000 : 1001) : random.of([1000, 1001, 1002]),
    protocol: isHttp ? 'http' : 'tcp',
    alpn: random.chance(0.85) ? 'h2' : null,
    ip: random.of(['10.1.2.3', '10.2.0.1', '192.168.0.9', null]),
    now: NOW + random.of([-DAY_MS, -1, 0, 0, 0, 1, DAY_MS, 60_000]),
    http: isHttp
      ? {
          method: random.of(['GET', 'GET', 'HEAD', 'POST', 'POST', 'POST', 'PUT']),
          path: random.of(['/x/1', '/x/1', '/x/1', '/x', '/x', '/x', '/y/a/b', '/y', '/x/', '/x/1/2']),
          authority: random.of(['svc', 'svc', 'other', null]),
        }
      : undefined,
  }
}
