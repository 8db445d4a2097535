import type { RegisteredIdentity } from '../../src/policy/membership.ts'
import type {
  Endpoint,
  Guard,
  Member,
  PolicySet,
  Predicate,
  Service,
  Validity,
  Window,
  Zone,
} from '../../src/policy/policy-set.ts'
import { printCedar, trueOrError, type Condition } from './condition.ts'
import type { Question, World } from './random-world.ts'

/**
 * A policy as Cedar, on its own feet: nothing of what compiles or decides in src/policy is used, facts are enumerated for each
 * question, and what Cedar does otherwise (a `forbid` whose condition fails is skipped) is written out.
 */
export interface CedarWorld {
  /** Policies of the two gates by id. */
  readonly policies: Readonly<Record<string, string>>
  callsFor(question: Question): { readonly movement: CedarCall; readonly access: CedarCall }
}

export interface CedarCall {
  readonly principal: Uid
  readonly action: Uid
  readonly resource: Uid
  readonly context: Record<string, CedarValue>
  readonly entities: { uid: Uid; attrs: Record<string, CedarValue>; parents: Uid[] }[]
}
interface Uid {
  readonly type: string
  readonly id: string
}
type CedarValue = string | number | boolean | { [key: string]: CedarValue }

const uid = (type: string, id: string): Uid => ({ type, id })
const ref = (type: string, id: string): string => `${type}::${JSON.stringify(id)}`

export function exportCedar({ set, entries, conditions }: World): CedarWorld {
  const treeOf = (text: string): Condition => conditions.get(text) as Condition
  const policies: Record<string, string> = {}
  const movementGuards = set.guards.filter(({ gate }) => gate === 'movement')
  const accessGuards = set.guards.filter(({ gate }) => gate === 'access')

  for (const conduit of set.conduits.filter(({ stage }) => stage === 'live')) {
    const listeners = conduit.allow.flatMap(({ protocol, ports }) =>
      ports.map((port) => `(context.listenerProtocol == "${protocol}" && context.port == ${port})`),
    )
    const parts = [
      inside('principal', conduit.from),
      inside('resource', conduit.to),
      `(${listeners.join(' || ')})`,
      ...validityParts(conduit.valid),
      ...windowParts(conduit.window),
      ...movementGuards
        .filter(({ except }) => !except.includes(conduit.id))
        .map((guard) => `!${guardMatches(set, guard, treeOf)}`),
    ]
    policies[conduit.id] =
      `permit(principal, action == ${ref('Action', 'connect')}, resource) when { ${parts.join(' && ')} };`
  }

  for (const rule of set.rules.filter(({ stage }) => stage === 'live')) {
    const isAllow = rule.effect === 'allow'
    const subjects = rule.from.map((subject) =>
      'zone' in subject
        ? `(principal in ${ref('Zone', subject.zone)}${isAllow ? ' && principal.isLocal' : ''})`
        : `principal in ${ref('Pattern', normal(subject.pattern, set))}`,
    )
    const actions = rule.actions.map((action) => `action == ${ref('Action', action)}`)
    const parts = [
      `resource.service == ${JSON.stringify(rule.to)}`,
      `(${subjects.join(' || ')})`,
      `(${actions.length === 0 ? 'false' : actions.join(' || ')})`,
      ...validityParts(rule.valid),
      // A permit whose condition fails may be skipped; a forbid must hold then.
      ...(rule.when === undefined ? [] : [isAllow ? printCedar(treeOf(rule.when)) : trueOrError(treeOf(rule.when))]),
    ]
    const guards = isAllow
      ? accessGuards
          .filter(({ except }) => !except.includes(rule.id))
          .map((guard) => `!${guardMatches(set, guard, treeOf)}`)
      : []
    policies[rule.id] =
      `${isAllow ? 'permit' : 'forbid'}(principal, action, resource) when { ${[...guards, ...parts].join(' && ')} };`
  }
  return { policies, callsFor: (question) => callsFor(set, entries, question) }
}

function inside(side: 'principal' | 'resource', { zone, identities }: Endpoint): string {
  const inZone = `${side} in ${ref('Zone', zone)}`
  if (identities === undefined) return `(${inZone})`
  return `(${inZone} && (${identities.map((text) => `${side} in ${ref('Pattern', stripOwn(text))}`).join(' || ')}))`
}

const validityParts = ({ from, until }: Validity): string[] => [
  ...(from === undefined ? [] : [`context.now >= ${from}`]),
  ...(until === undefined ? [] : [`context.now < ${until}`]),
]

function windowParts(window: Window | undefined): string[] {
  if (window === undefined) return []
  const minute = window.tz === 'UTC' ? 'context.minuteUtc' : 'context.minuteBerlin'
  const { fromMinute: from, toMinute: to } = window
  const join = from < to ? '&&' : '||'
  return [`(${minute} >= ${from} ${join} ${minute} < ${to})`]
}

function guardMatches(set: PolicySet, guard: Guard, treeOf: (text: string) => Condition): string {
  const parts = [
    ...predicateParts(set, 'principal', guard.from),
    ...predicateParts(set, 'resource', guard.to),
    ...(guard.when === undefined ? [] : [trueOrError(treeOf(guard.when))]),
  ]
  return parts.length === 0 ? '(true)' : `(${parts.join(' && ')})`
}

/** An unresolved zone matches every predicate about zones. */
function predicateParts(set: PolicySet, side: 'principal' | 'resource', predicate: Predicate): string[] {
  const zoneParts = [
    ...(predicate.maxTarget === undefined ? [] : [`${side}.target <= ${predicate.maxTarget}`]),
    ...(predicate.minTarget === undefined ? [] : [`${side}.target >= ${predicate.minTarget}`]),
    ...(predicate.zone === undefined ? [] : [`${side}.zone == "${predicate.zone}"`]),
    ...(predicate.notZone === undefined ? [] : [`${side}.zone != "${predicate.notZone}"`]),
    ...(predicate.sensitivity === undefined ? [] : [`${side}.sensitivity == "${predicate.sensitivity}"`]),
    ...(predicate.admin === undefined ? [] : [`${side}.admin == "${predicate.admin}"`]),
    ...(predicate.notAdmin === undefined ? [] : [`${side}.admin != "${predicate.notAdmin}"`]),
    ...(predicate.crownJewel === undefined ? [] : [`${side}.crownJewel == ${predicate.crownJewel}`]),
  ]
  const service = set.services.find(({ id }) => id === predicate.service)
  return [
    ...zoneParts.map((part) => `(!(${side} has zone) || ${part})`),
    ...(predicate.identities === undefined
      ? []
      : [`(${predicate.identities.map((text) => `${side} in ${ref('Pattern', stripOwn(text))}`).join(' || ')})`]),
    ...(service === undefined
      ? []
      : [
          side === 'resource'
            ? `resource.service == "${service.id}"`
            : `principal.id == "spiffe://${set.trustDomain}${service.identity}"`,
        ]),
    ...(predicate.actions === undefined
      ? []
      : [`(${['false', ...predicate.actions.map((action) => `action == ${ref('Action', action)}`)].join(' || ')})`]),
  ]
}

const normal = (text: string, { trustDomain }: PolicySet): string => text.replace(`spiffe://${trustDomain}/`, '/')
const stripOwn = (text: string): string => text.replace('spiffe://example.org/', '/')

/** A pattern as a regular expression over whole ids. */
function matches(text: string, id: string, trustDomain: string): boolean {
  const whole = text.startsWith('/') ? `spiffe://${trustDomain}${text}` : text
  const source = whole
    .split('/')
    .map((segment) =>
      segment === '**' ? '[^/]+(?:/[^/]+)*' : segment === '*' ? '[^/]+' : segment.replaceAll('.', String.raw`\.`),
    )
    .join('/')
  return new RegExp(`^${source}$`).test(id)
}

interface Party {
  readonly id: string
  readonly isLocal: boolean
  readonly zone: Zone | undefined
  readonly labels: Readonly<Record<string, string>>
}

function partyOf(set: PolicySet, entries: readonly RegisteredIdentity[], id: string): Party {
  const isLocal = id.startsWith(`spiffe://${set.trustDomain}/`)
  const own = entries.filter(({ spiffeId }) => spiffeId === id)
  const labels: Record<string, string> = {}
  for (const [key, value] of Object.entries(own[0]?.labels ?? {}))
    if (own.every((entry) => entry.labels[key] === value)) labels[key] = value
  const zones = isLocal ? zonesOf(set, own, labels, id) : foreignZones(set, id)
  return { id, isLocal, labels, zone: zones.length === 1 ? set.zones.find((zone) => zone.id === zones[0]) : undefined }
}

const foreignZones = ({ federation }: PolicySet, id: string): string[] =>
  federation
    .filter(({ trustDomain, accept }) => accept.some((text) => matches(text, id, trustDomain)))
    .map(({ zone }) => zone)

function zonesOf(
  set: PolicySet,
  own: readonly RegisteredIdentity[],
  labels: Readonly<Record<string, string>>,
  id: string,
): string[] {
  const holds = ({ spiffe, entryLabel = {}, selector }: Member): boolean =>
    Object.entries(entryLabel).every(([key, value]) => labels[key] === value) &&
    (selector === undefined || (own.length > 0 && own.every(({ selectors }) => selectors.includes(selector)))) &&
    (spiffe === undefined || matches(spiffe, id, set.trustDomain))
  const isExplicit = ({ entryLabel, selector }: Member): boolean => entryLabel !== undefined || selector !== undefined
  const explicit = set.zones.filter(({ members }) => members.some((member) => isExplicit(member) && holds(member)))
  if (explicit.length > 0) return explicit.map((zone) => zone.id)
  const candidates = set.zones.flatMap((zone) =>
    zone.members
      .filter((member) => !isExplicit(member) && holds(member))
      .map(({ spiffe }) => ({ zone: zone.id, key: keyOf(spiffe ?? '') })),
  )
  const best = candidates.map(({ key }) => key).toSorted()[0]
  return [...new Set(candidates.filter(({ key }) => key === best).map(({ zone }) => zone))]
}

/** Sorts the most specific first: literals before `*` before `**`, from the left. */
const keyOf = (pattern: string): string =>
  pattern
    .split('/')
    .slice(1)
    .map((segment) => (segment === '**' ? '3' : segment === '*' ? '2' : '1'))
    .join('')

function callsFor(set: PolicySet, entries: readonly RegisteredIdentity[], question: Question) {
  const service = set.services.find(({ id }) => id === question.service) as Service
  const source = partyOf(set, entries, question.id)
  const destination = partyOf(set, entries, `spiffe://${set.trustDomain}${service.identity}`)
  const listener = service.listeners.find(
    ({ port, protocol, alpn }) =>
      port === question.port &&
      (protocol === 'tcp') === (question.protocol === 'tcp') &&
      (alpn.length === 0 || (question.alpn !== null && alpn.includes(question.alpn))),
  )
  const matched = actionOf(service, question)
  const context: Record<string, CedarValue> = {
    port: question.port,
    now: question.now,
    minuteUtc: Math.floor(question.now / 60_000) % 1440,
    // Winter time, in which all questions are asked.
    minuteBerlin: (Math.floor(question.now / 60_000) + 60) % 1440,
    listenerProtocol: listener?.protocol ?? 'none',
    ...(question.ip === null ? {} : { ip: { __extn: { fn: 'ip', arg: question.ip } } }),
    ...(question.http === undefined ? {} : { method: question.http.method }),
    ...(question.http?.authority == null ? {} : { authority: question.http.authority }),
    ...(matched?.route === undefined ? {} : { route: matched.route }),
  }
  const entities = [entityOf(set, 'Id', source, {}), entityOf(set, 'Service', destination, { service: service.id })]
  const common = { principal: uid('Id', source.id), resource: uid('Service', destination.id), context, entities }
  return {
    movement: { ...common, action: uid('Action', 'connect') },
    access: { ...common, action: uid('Action', matched?.action ?? 'none') },
  }
}

/** Which action a request is, by regular expressions. */
function actionOf(service: Service, { http, protocol }: Question): { action: string; route?: string } | undefined {
  for (const { name, match } of service.actions) {
    for (const matcher of match) {
      if (matcher.kind === 'connect' && http === undefined && protocol === 'tcp') return { action: name }
      if (matcher.kind !== 'http' || http === undefined || !matcher.methods.includes(http.method)) continue
      if (service.authorities.length > 0 && !service.authorities.includes(http.authority ?? '')) continue
      const source = matcher.path.replace(/\{[^}]+\}/g, '[^/]+').replace('**', '[^/]+(?:/[^/]+)*')
      if (new RegExp(`^${source}$`).test(http.path)) return { action: name, route: matcher.path }
    }
  }
  return undefined
}

function entityOf(set: PolicySet, type: string, party: Party, more: Record<string, CedarValue>) {
  const texts = [
    ...set.rules.flatMap(({ from }) => from.flatMap((subject) => ('pattern' in subject ? subject.pattern : []))),
    ...set.conduits.flatMap(({ from, to }) => [...(from.identities ?? []), ...(to.identities ?? [])]),
    ...set.guards.flatMap(({ from, to }) => [...(from.identities ?? []), ...(to.identities ?? [])]),
  ].map((text) => normal(text, set))
  const patterns = [...new Set(texts)].filter((text) => matches(text, party.id, set.trustDomain))
  const { zone } = party
  const attrs: Record<string, CedarValue> = {
    id: party.id,
    isLocal: party.isLocal,
    labels: { ...party.labels },
    ...more,
    ...(zone === undefined
      ? {}
      : {
          zone: zone.id,
          target: zone.target,
          sensitivity: zone.sensitivity,
          admin: zone.admin,
          crownJewel: zone.crownJewel,
        }),
  }
  const parents = [
    ...patterns.map((text) => uid('Pattern', text)),
    ...(zone === undefined ? [] : [uid('Zone', zone.id)]),
  ]
  return { uid: uid(type, party.id), attrs, parents }
}
