import { joins } from '../conduit.ts'
import type { LifecycleIndex } from '../lifecycle-index.ts'
import type { IdentityRow } from '../membership.ts'
import type { Party } from '../party.ts'
import type { Conduit, Protocol, Rule, Subject } from '../policy-set.ts'
import type { CompiledService, Tables } from '../tables.ts'
import { isValid } from '../windows.ts'
import { candidatesOf } from './candidates.ts'
import { mayBeOpen } from './moment.ts'
import { confirmedDays, flowsOf, type Flow, type Observation } from './observed.ts'
import { pathsTo } from './paths-to.ts'

/** A flow counts when both ends reported it on so many days (SE-47). */
export const CONFIRMED_DAYS_MIN = 3
/** The share of a zone's identities that must do the same before the whole zone is proposed. */
const WIDEN_SHARE = 0.8
const REVIEW_AFTER_MS = 90 * 86_400_000

/** What would let flows through that observe mode let pass: drafts, never applied by themselves. */
export interface Suggestion {
  readonly conduit: Conduit | undefined
  readonly rule: Rule | undefined
  readonly evidence: {
    readonly flows: readonly Flow[]
    /** Would-denies that would be gone. */
    readonly requests: number
    readonly firstMs: number
    readonly lastMs: number
    /** Who does it, of all that are registered in their zone: what is rare may be an attacker who is inside already. */
    readonly sources: number
    readonly ofZone: number
  }
}

/** A flow for which nothing is proposed, and why. */
export interface Skipped {
  readonly flow: Flow
  readonly why: string
}

export interface SuggestOptions {
  readonly observations: Iterable<Observation>
  readonly rows: readonly IdentityRow[]
  readonly lifecycle: LifecycleIndex
  readonly now: number
  /** Only flows into this zone. */
  readonly zone: string | undefined
}

interface Wanted {
  readonly flow: Flow
  readonly source: Party
  readonly service: CompiledService
}

/** Conduits and rules that explain what observe mode let pass. @see zones.md §4.9, SE-47 */
export function suggest(
  tables: Tables,
  options: SuggestOptions,
): { readonly suggestions: readonly Suggestion[]; readonly skipped: readonly Skipped[] } {
  const skipped: Skipped[] = []
  const wanted: Wanted[] = []
  const registered = new Set(options.rows.map(({ spiffeId }) => spiffeId))
  for (const flow of flowsOf([...options.observations].filter(({ wouldDeny }) => wouldDeny))) {
    const source = tables.parties.of(flow.source)
    const service = tables.services.get(flow.service)
    if (options.zone !== undefined && service?.party.zone?.id !== options.zone) continue
    const why =
      typeof source === 'string' || service === undefined
        ? 'the source or the service is not known any more'
        : objection(tables, options, registered, flow, source, service)
    if (why !== undefined) skipped.push({ flow, why })
    else wanted.push({ flow, source: source as Party, service: service as CompiledService })
  }
  const groups = Map.groupBy(wanted, ({ source, service }) => `${source.zone?.id ?? ''}\n${service.id}`)
  const suggestions = [...groups.values()].flatMap((group) => proposals(tables, options, group))
  return { suggestions, skipped }
}

/** Why nothing is proposed for a flow. */
function objection(
  tables: Tables,
  { lifecycle, now }: SuggestOptions,
  registered: ReadonlySet<string>,
  flow: Flow,
  source: Party,
  service: CompiledService,
): string | undefined {
  const days = confirmedDays(flow)
  if (days < CONFIRMED_DAYS_MIN) return `both ends reported it on ${days} of ${CONFIRMED_DAYS_MIN} days`
  if (!registered.has(source.id)) return 'the source is not registered'
  if (lifecycle.quarantinesOf(source).length > 0) return 'the source is in quarantine'
  if (lifecycle.offboarded.has(source.id)) return 'the source is offboarded'
  if (source.zone === undefined) return 'the source is not in one zone'
  if (flow.action === null) return 'the request is no action of the service'
  const guard = [
    ...tables.movementGuards,
    ...tables.accessGuards.filter(({ actions }) => actions?.has(flow.action ?? '') !== false),
  ].find(({ concerns }) => concerns(source, service.party, service.id))
  if (guard !== undefined) return `${guard.hard ? 'hard guard' : 'guard'} ${guard.id} forbids it`
  const deny = candidatesOf(tables)
    .rulesOf(source)
    .find(({ isAllow, rule, actions }) => !isAllow && rule.to === service.id && actions.has(flow.action ?? ''))
  if (deny !== undefined && isValid(deny.rule.valid, now)) return `rule ${deny.id} denies it`
  return undefined
}

/** Of the flows of one zone into one service: a conduit where none leads there, and a rule for each set of sources. */
function proposals(tables: Tables, options: SuggestOptions, group: readonly Wanted[]): Suggestion[] {
  const byAction = Map.groupBy(group, ({ flow }) => flow.action ?? '')
  const bySources = Map.groupBy(byAction, ([, own]) => sourceKey(own))
  let ordinal = 0
  return [...bySources.values()].map((actions): Suggestion => {
    const own = actions.flatMap(([, wanted]) => wanted)
    const name = nameFor(tables, own[0] as Wanted, ++ordinal)
    const missingRule = actions.filter(([action, wanted]) =>
      wanted.some((one) => !hasRule(tables, one, action, options.now)),
    )
    const missingPath = own.filter((one) => !hasPath(tables, one, options.now))
    const from = sourcesOf(tables, options, own)
    return {
      conduit: missingPath.length === 0 ? undefined : conduitFor(name, missingPath, from, options.now),
      rule:
        missingRule.length === 0
          ? undefined
          : ruleFor(
              name,
              own[0] as Wanted,
              from,
              missingRule.map(([action]) => action),
            ),
      evidence: evidenceOf(options, own),
    }
  })
}

const sourceKey = (own: readonly Wanted[]): string =>
  [...new Set(own.map(({ source }) => source.id))].sort((a, b) => (a < b ? -1 : 1)).join('\n')

function nameFor({ set }: Tables, { source, service }: Wanted, ordinal: number): string {
  const taken = new Set([...set.conduits, ...set.rules].map(({ id }) => id))
  for (let number = ordinal; ; number++) {
    const name = `suggested-${source.zone?.id ?? ''}-${service.id}-${number}`
    if (!taken.has(name)) return name
  }
}

const hasRule = (tables: Tables, { source, service }: Wanted, action: string, now: number): boolean =>
  candidatesOf(tables)
    .rulesOf(source)
    .some(
      ({ isAllow, rule, actions }) =>
        isAllow && rule.to === service.id && actions.has(action) && rule.when === undefined && isValid(rule.valid, now),
    )

const portsOf = ({ flow, service }: Wanted): { readonly protocol: Protocol; readonly port: number }[] => {
  const ports = new Set(flow.observations.map(({ port }) => port))
  return service.service.listeners.filter(({ port }) => ports.has(port))
}

const hasPath = (tables: Tables, wanted: Wanted, now: number): boolean =>
  portsOf(wanted).every(({ protocol, port }) =>
    pathsTo(tables, wanted.source, wanted.service).some(
      (conduit) =>
        joins(conduit, wanted.source, wanted.service.party) &&
        mayBeOpen(conduit, { at: now }) &&
        conduit.conduit.allow.some((allow) => allow.protocol === protocol && allow.ports.includes(port)),
    ),
  )

/** One by one; the whole zone only where nearly all of it does the same, and never into target 3 or 4. */
function sourcesOf(tables: Tables, options: SuggestOptions, own: readonly Wanted[]): readonly Subject[] {
  const { source, service } = own[0] as Wanted
  const ids = [...new Set(own.map((one) => one.source.id))].sort((a, b) => (a < b ? -1 : 1))
  const zone = source.zone?.id ?? ''
  const isLow = (service.party.zone?.target ?? 4) < 3
  if (isLow && ids.length > 1 && ids.length >= WIDEN_SHARE * membersOf(options, zone)) return [{ zone }]
  return ids.map((id) => ({ pattern: id.replace(`spiffe://${tables.set.trustDomain}/`, '/') }))
}

const membersOf = ({ rows }: SuggestOptions, zone: string): number => rows.filter((row) => row.zone === zone).length

function conduitFor(id: string, own: readonly Wanted[], from: readonly Subject[], now: number): Conduit {
  const { source, service } = own[0] as Wanted
  const ports = Map.groupBy(own.flatMap(portsOf), ({ protocol }) => protocol)
  const identities = from.flatMap((subject) => ('pattern' in subject ? subject.pattern : []))
  const requests = own.reduce((sum, { flow }) => sum + flow.count, 0)
  return {
    id,
    from: { zone: source.zone?.id ?? '', identities: identities.length === 0 ? undefined : identities },
    to: { zone: service.party.zone?.id ?? '', identities: [service.service.identity] },
    allow: [...ports].map(([protocol, listeners]) => ({
      protocol,
      ports: [...new Set(listeners.map(({ port }) => port))],
    })),
    valid: { from: undefined, until: undefined },
    window: undefined,
    owner: 'nobody yet',
    justification: `observed: ${requests} requests, reported by both ends`,
    review: Math.floor((now + REVIEW_AFTER_MS) / 86_400_000) * 86_400_000,
    stage: 'draft',
    use: 'normal',
  }
}

const ruleFor = (id: string, { service }: Wanted, from: readonly Subject[], actions: readonly string[]): Rule => ({
  id,
  effect: 'allow',
  from,
  to: service.id,
  actions,
  when: undefined,
  valid: { from: undefined, until: undefined },
  owner: 'nobody yet',
  stage: 'draft',
  use: 'normal',
})

function evidenceOf(options: SuggestOptions, own: readonly Wanted[]): Suggestion['evidence'] {
  const flows = own.map(({ flow }) => flow)
  return {
    flows,
    requests: flows.reduce((sum, { count }) => sum + count, 0),
    firstMs: flows.reduce((first, { firstMs }) => Math.min(first, firstMs), Infinity),
    lastMs: flows.reduce((last, { lastMs }) => Math.max(last, lastMs), 0),
    sources: new Set(flows.map(({ source }) => source)).size,
    ofZone: membersOf(options, own[0]?.source.zone?.id ?? ''),
  }
}
