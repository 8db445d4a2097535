import type { Code } from '../codes.ts'
import { compile } from '../compile.ts'
import { joins } from '../conduit.ts'
import type { LifecycleIndex } from '../lifecycle-index.ts'
import type { IdentityRow } from '../membership.ts'
import type { Party } from '../party.ts'
import type { Conduit, Protocol, Rule } from '../policy-set.ts'
import type { CompiledService, Tables } from '../tables.ts'
import { isValid } from '../windows.ts'
import { Admissions, live, type Admission } from './admitted.ts'
import { candidatesOf } from './candidates.ts'
import { classedParty, Classifier } from './classes.ts'
import { mayBeOpen } from './moment.ts'
import { objectionsOf, type Objections } from './objections.ts'
import { confirmedDays, flowKey, flowsOf, type Flow, type Observation } from './observed.ts'
import { pathsTo } from './paths-to.ts'
import { SourceForms, type SourceForm } from './source-forms.ts'

/** A class does something when both ends of its flows reported it on so many days (SE-47). */
export const CONFIRMED_DAYS_MIN = 3
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
    /** What registered identities would be let do besides, once all suggestions are live: nobody was seen to need it. */
    readonly beyond: readonly Admission[]
    /** Whether it would let in others who are registered later. */
    readonly isOpen: boolean
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

interface Suggesting {
  readonly tables: Tables
  readonly options: SuggestOptions
  readonly objections: Objections
  readonly forms: SourceForms
  /** Those that are taken or have been given away. */
  readonly names: Set<string>
}

interface Draft extends Pick<Suggestion, 'conduit' | 'rule'> {
  readonly own: readonly Wanted[]
  readonly form: SourceForm
}

export interface Suggested {
  readonly suggestions: readonly Suggestion[]
  readonly skipped: readonly Skipped[]
  /** The policy with all suggestions in it. */
  readonly changed: Tables
}

/** Conduits and rules that explain what observe mode let pass. @see zones.md §4.9, SE-47 */
export function suggest(tables: Tables, options: SuggestOptions): Suggested {
  const objections = objectionsOf(tables, options.lifecycle, options.now)
  const skipped: Skipped[] = []
  const wanted: Wanted[] = []
  const registered = new Set(options.rows.map(({ spiffeId }) => spiffeId))
  const flows = flowsOf([...options.observations].filter(({ wouldDeny }) => wouldDeny))
  // What somebody did who is stopped, or whom nobody registered, speaks for nobody else.
  const daysOf = classDays(
    tables,
    flows.filter(({ source }) => registered.has(source) && isFree(options.lifecycle, tables.parties.of(source))),
  )
  for (const flow of flows) {
    const source = tables.parties.of(flow.source)
    const service = tables.services.get(flow.service)
    if (options.zone !== undefined && service?.party.zone?.id !== options.zone) continue
    const why =
      typeof source === 'string' || service === undefined
        ? 'the source or the service is not known any more'
        : (unfit(flow, registered) ??
          outdated(flow, service) ??
          objections(source, service, flow.action ?? '') ??
          unproven(daysOf(flow)))
    if (why !== undefined) skipped.push({ flow, why })
    else wanted.push({ flow, source: source as Party, service: service as CompiledService })
  }
  const groups = Map.groupBy(wanted, ({ source, service }) => `${source.zone?.id ?? ''}\n${service.id}`)
  const suggesting = {
    tables,
    options,
    objections,
    forms: new SourceForms(tables, options.rows),
    names: new Set([...tables.set.conduits, ...tables.set.rules].map(({ id }) => id)),
  }
  const drafts = [...groups.values()].flatMap((group) => proposals(suggesting, group))
  const changed = withDrafts(tables, options, drafts)
  const admissions = new Admissions(tables, changed, { moment: { from: options.now }, variant: 'intended' })
  const seen = new Set(wanted.map(({ flow }) => flowKey(flow)))
  const suggestions = drafts.map((draft): Suggestion => ({
    conduit: draft.conduit,
    rule: draft.rule,
    evidence: evidenceOf(suggesting, draft, (admission) => seen.has(flowKey(admission)), admissions),
  }))
  return { suggestions, skipped, changed }
}

function withDrafts({ set }: Tables, { rows }: SuggestOptions, drafts: readonly Draft[]): Tables {
  const conduits = [...set.conduits, ...live(drafts.map(({ conduit }) => conduit))]
  const rules = [...set.rules, ...live(drafts.map(({ rule }) => rule))]
  return compile({ ...set, conduits, rules }, rows)
}

const isFree = (lifecycle: LifecycleIndex, party: Party | Code): boolean =>
  typeof party === 'object' && lifecycle.quarantinesOf(party).length === 0 && !lifecycle.offboarded.has(party.id)

/** On how many days both ends reported that somebody of the class of a flow's source did the same. */
function classDays(tables: Tables, flows: readonly Flow[]): (flow: Flow) => number {
  const classifier = new Classifier(tables)
  const keyOf = ({ source, service, action }: Flow): string => {
    const party = tables.parties.of(source)
    const name = typeof party === 'string' ? source : classifier.keyOf(classedParty(party))
    return `${name}\n${service}\n${action ?? ''}`
  }
  const days = new Map<string, Set<number>>()
  for (const flow of flows) {
    const earlier = days.get(keyOf(flow)) ?? new Set()
    days.set(keyOf(flow), earlier.union(flow.serverDays.intersection(flow.clientDays)))
  }
  return (flow) => (confirmedDays(flow) === 0 ? 0 : (days.get(keyOf(flow))?.size ?? 0))
}

/** Why nothing could be written for a flow. */
function unfit(flow: Flow, registered: ReadonlySet<string>): string | undefined {
  if (!registered.has(flow.source)) return 'the source is not registered'
  return flow.action === null ? 'the request is no action of the service' : undefined
}

/** Why a flow is not evidence enough. */
const unproven = (days: number): string | undefined =>
  days < CONFIRMED_DAYS_MIN ? `both ends reported it on ${days} of ${CONFIRMED_DAYS_MIN} days` : undefined

/** Why a flow is about a service that is another one by now. */
function outdated(flow: Flow, service: CompiledService): string | undefined {
  if (!service.service.actions.some(({ name }) => name === flow.action))
    return 'the service has no such action any more'
  return portsOf(flow, service).length === 0 ? 'the service does not listen there any more' : undefined
}

/** Of the flows of one zone into one service: a conduit where none leads there, and a rule for each set of sources. */
function proposals(suggesting: Suggesting, group: readonly Wanted[]): Draft[] {
  const { tables, options, objections, forms } = suggesting
  const byAction = Map.groupBy(group, ({ flow }) => flow.action ?? '')
  const bySources = Map.groupBy(byAction, ([, own]) => sourceKey(own))
  return [...bySources.values()].map((actions): Draft => {
    const own = actions.flatMap(([, wanted]) => wanted)
    const first = own[0] as Wanted
    const name = nameFor(suggesting, first)
    const missingRule = actions.filter(([action, wanted]) =>
      wanted.some((one) => !hasRule(tables, one, action, options.now)),
    )
    const missingPath = own.filter((one) => !hasPath(tables, one, options.now))
    const form = forms.narrowest({
      zone: first.source.zone?.id ?? '',
      sources: distinctSources(own),
      // Nobody gets into what is worth most without a name.
      mayBeWide: (first.service.party.zone?.target ?? 4) < 3,
      isUnwanted: (party) => actions.some(([action]) => objections(party, first.service, action) !== undefined),
    })
    const rights = missingRule.map(([action]) => action)
    return {
      conduit: missingPath.length === 0 ? undefined : conduitFor(name, missingPath, form, options.now),
      rule: rights.length === 0 ? undefined : ruleFor(name, first, form, rights),
      own,
      form,
    }
  })
}

const distinctSources = (own: readonly Wanted[]): readonly Party[] =>
  [...new Map(own.map(({ source }) => [source.id, source])).values()].sort((a, b) => (a.id < b.id ? -1 : 1))

const sourceKey = (own: readonly Wanted[]): string =>
  [...new Set(own.map(({ source }) => source.id))].sort((a, b) => (a < b ? -1 : 1)).join('\n')

function nameFor({ names }: Suggesting, { source, service }: Wanted): string {
  for (let number = 1; ; number++) {
    const name = `suggested-${source.zone?.id ?? ''}-${service.id}-${number}`
    if (names.has(name)) continue
    names.add(name)
    return name
  }
}

const hasRule = (tables: Tables, { source, service }: Wanted, action: string, now: number): boolean =>
  candidatesOf(tables)
    .rulesOf(source)
    .some(
      ({ isAllow, rule, actions }) =>
        isAllow && rule.to === service.id && actions.has(action) && rule.when === undefined && isValid(rule.valid, now),
    )

const portsOf = (flow: Flow, service: CompiledService): { readonly protocol: Protocol; readonly port: number }[] => {
  const ports = new Set(flow.observations.map(({ port }) => port))
  return service.service.listeners.filter(({ port }) => ports.has(port))
}

const hasPath = (tables: Tables, wanted: Wanted, now: number): boolean =>
  portsOf(wanted.flow, wanted.service).every(({ protocol, port }) =>
    pathsTo(tables, wanted.source, wanted.service).some(
      (conduit) =>
        joins(conduit, wanted.source, wanted.service.party) &&
        mayBeOpen(conduit, { at: now }) &&
        conduit.conduit.allow.some((allow) => allow.protocol === protocol && allow.ports.includes(port)),
    ),
  )

function conduitFor(id: string, own: readonly Wanted[], { identities }: SourceForm, now: number): Conduit {
  const { source, service } = own[0] as Wanted
  const ports = Map.groupBy(
    own.flatMap(({ flow, service }) => portsOf(flow, service)),
    ({ protocol }) => protocol,
  )
  const requests = own.reduce((sum, { flow }) => sum + flow.count, 0)
  return {
    id,
    from: { zone: source.zone?.id ?? '', identities },
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

const ruleFor = (id: string, { service }: Wanted, form: SourceForm, actions: readonly string[]): Rule => ({
  id,
  effect: 'allow',
  from: form.subjects,
  to: service.id,
  actions,
  when: form.when,
  valid: { from: undefined, until: undefined },
  owner: 'nobody yet',
  stage: 'draft',
  use: 'normal',
})

function evidenceOf(
  { forms }: Suggesting,
  { own, form, conduit, rule }: Draft,
  isSeen: (admission: Admission) => boolean,
  admissions: Admissions,
): Suggestion['evidence'] {
  const { source, service } = own[0] as Wanted
  const flows = own.map(({ flow }) => flow)
  const zone = forms.inZone(source.zone?.id ?? '')
  // A conduit without identities opens a path for the whole zone, also to whom the rule does not name.
  const named = conduit !== undefined && form.identities === undefined ? zone : forms.named(form)
  const beyond = conduit === undefined && rule === undefined ? [] : admissions.of(named, service.id)
  return {
    flows,
    requests: flows.reduce((sum, { count }) => sum + count, 0),
    firstMs: flows.reduce((first, { firstMs }) => Math.min(first, firstMs), Infinity),
    lastMs: flows.reduce((last, { lastMs }) => Math.max(last, lastMs), 0),
    sources: new Set(flows.map((flow) => flow.source)).size,
    ofZone: zone.length,
    beyond: beyond.filter((admission) => !isSeen(admission)),
    isOpen: form.isOpen,
  }
}
