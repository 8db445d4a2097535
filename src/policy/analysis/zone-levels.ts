import { isExact, parsePattern } from '../pattern.ts'
import type { Rule, Target } from '../policy-set.ts'
import type { Tables } from '../tables.ts'
import type { RegisteredEntry } from './compromise.ts'
import { X509_TTL_MS } from './compromise.ts'
import type { Observation } from './observed.ts'
import { administration } from './privilege.ts'

/** A security level of IEC 62443: 0 none, 4 against extended resources. */
export type Level = 0 | 1 | 2 | 3 | 4

/** The level of one foundational requirement: wanted, possible with this product, and reached. */
export interface RequirementLevel {
  readonly requirement: string
  readonly target: Target
  readonly capability: Level
  readonly achieved: Level
  /** What the level was found by. */
  readonly evidence: string
  /** What the next level needs; undefined: the target is reached. */
  readonly gap: string | undefined
}

/** What is known beside the policy. */
export interface LevelFacts {
  readonly entries: readonly RegisteredEntry[]
  /** How nodes prove themselves, by SPIFFE ID; undefined: not known. */
  readonly nodeAttestation: ReadonlyMap<string, string> | undefined
  readonly observations: readonly Observation[] | undefined
  /** Signatures of the policy that were made elsewhere; undefined: not known. */
  readonly secondSignatures: number | undefined
  /** The last quarantine, which may have been an exercise; undefined: not known. */
  readonly lastQuarantineMs: number | undefined
  readonly now: number
}

const HOUR_MS = 3_600_000
const MONTH_MS = 31 * 24 * HOUR_MS

/** The vector of a zone over the seven requirements. Conduits inherit the higher target of their zones. @see zones.md §3.3 */
export function zoneLevels(tables: Tables, zone: string, facts: LevelFacts): RequirementLevel[] {
  const target = tables.zones.get(zone)?.target ?? 0
  const judged = [
    identification(tables, zone, facts),
    useControl(tables, zone),
    integrity(facts),
    confidentiality(tables, zone, facts),
    dataFlow(tables, zone, facts),
    response(tables, zone, facts),
    availability(tables, zone),
  ]
  return judged.map(({ requirement, capability, achieved, evidence, next }) => ({
    ...{ requirement, target, capability, achieved, evidence },
    gap: achieved >= target ? undefined : next,
  }))
}

/** What another text of the policy would reach. */
export interface PolicyGap extends Pick<RequirementLevel, 'requirement' | 'target' | 'achieved'> {
  /** What the next level needs. */
  readonly next: string
}

/** Where a zone stays below its target by the policy alone, whatever is registered and seen, and the product could do more. */
export function gapsOfPolicy(tables: Tables, zone: string): readonly PolicyGap[] {
  const target = tables.zones.get(zone)?.target ?? 0
  const unseen = { observations: undefined }
  const judged = [
    useControl(tables, zone),
    confidentiality(tables, zone, unseen),
    // Whether callers enforce too is seen in traffic only.
    ...(tables.zones.get(zone)?.observes === true ? [dataFlow(tables, zone, unseen)] : []),
    availability(tables, zone),
  ]
  return judged
    .filter(({ achieved, capability }) => achieved < Math.min(target, capability))
    .map(({ requirement, achieved, next }) => ({ requirement, target, achieved, next }))
}

interface Judged {
  readonly requirement: string
  readonly capability: Level
  readonly achieved: Level
  readonly evidence: string
  /** What the level above needs. */
  readonly next: string
}

/** The weakest identity of the zone counts. */
function identification(tables: Tables, zone: string, { entries, nodeAttestation }: LevelFacts): Judged {
  const requirement = 'identification and authentication'
  const own = entries.filter(({ spiffeId }) => {
    const party = tables.parties.of(spiffeId)
    return typeof party !== 'string' && party.zone?.id === zone
  })
  if (own.length === 0)
    return {
      requirement,
      capability: 3,
      achieved: 0,
      evidence: 'no registered identity',
      next: 'register its identities',
    }
  const ttlMs = Math.max(...own.map((entry) => Math.min(entry.x509TtlMs ?? X509_TTL_MS, ttlLimit(tables, zone))))
  const kinds = Math.min(...own.map(({ selectors }) => new Set(selectors.map((text) => text.split(':')[0])).size))
  const byToken = own.filter(
    ({ parent = '' }) => (nodeAttestation?.get(parent) ?? 'join_token') === 'join_token',
  ).length
  const hours = ttlMs / HOUR_MS
  const level = byToken > 0 || hours > 4 ? (hours <= 24 ? 1 : 0) : kinds < 2 || hours > 1 ? 2 : 3
  const nodes =
    nodeAttestation === undefined
      ? 'nodes not known'
      : byToken > 0
        ? 'nodes by join token'
        : 'nodes attested by platform'
  const next = [
    'an SVID life of 24 h',
    'nodes attested by other means than a join token, and 4 h',
    'selectors of two attestors on every entry, and 1 h',
    'nodes backed by hardware, and 15 min: not built',
  ][level] as string
  return {
    requirement,
    capability: 3,
    achieved: level,
    evidence: `${nodes}, selectors of ${kinds === 1 ? 'one attestor' : `${kinds} attestors`}, SVIDs of ${Math.round(hours * 60)} min`,
    next,
  }
}

const ttlLimit = ({ set, zones }: Tables, zone: string): number =>
  set.settings.x509TtlMs[zones.get(zone)?.target ?? 0] ?? Infinity

function useControl(tables: Tables, zone: string): Judged {
  const requirement = 'use control'
  const rules = zoneContents(tables).get(zone)?.rules ?? []
  const wide = rules.filter(({ from }) =>
    from.some((subject) => 'zone' in subject || !isExact(parsePattern(subject.pattern))),
  )
  const administers = administration(tables)
  const standing = rules.filter(({ to, actions }) => actions.some((action) => administers({ service: to, action })))
  const level = tables.zones.get(zone)?.observes === true ? 1 : wide.length > 0 ? 2 : standing.length > 0 ? 3 : 4
  const evidence = ['', 'observes', 'enforces', 'enforces, no wildcard subjects', 'administration by grant only'][
    level
  ] as string
  const next = [
    '',
    'mode: enforce',
    `rules without wildcards: ${wide.map(({ id }) => id).join(', ')}`,
    `grants instead of rules for administration: ${standing.map(({ id }) => id).join(', ')}`,
  ][level] as string
  return { requirement, capability: 4, achieved: level, evidence, next: next ?? '' }
}

function integrity({ secondSignatures }: LevelFacts): Judged {
  const isTwice = (secondSignatures ?? 0) > 0
  return {
    requirement: 'system integrity',
    capability: 3,
    achieved: isTwice ? 3 : 2,
    evidence: isTwice ? 'signed by two, rollback refused' : 'signed, rollback refused',
    next: isTwice ? 'a witness log: not built' : 'a second signature of the policy',
  }
}

function confidentiality(tables: Tables, zone: string, { observations }: Pick<LevelFacts, 'observations'>): Judged {
  const silent = silentServices(tables, zone, observations)
  const { maxAgeMs } = tables.set.settings.connection
  const level = silent.length > 0 ? 1 : maxAgeMs <= HOUR_MS ? 4 : 3
  return {
    requirement: 'data confidentiality',
    capability: 4,
    achieved: level,
    evidence:
      silent.length > 0
        ? `never seen to enforce: ${silent.join(', ')}`
        : `TLS 1.3, no resumption, connections of ${Math.round(maxAgeMs / 60_000)} min`,
    next: silent.length > 0 ? 'mutual TLS on every listener' : 'connection.maxAge: 1h',
  }
}

function dataFlow(tables: Tables, zone: string, { observations }: Pick<LevelFacts, 'observations'>): Judged {
  const requirement = 'restricted data flow'
  if (tables.zones.get(zone)?.observes === true)
    return { requirement, capability: 3, achieved: 1, evidence: 'observes', next: 'mode: enforce' }
  const inbound = observations?.filter(({ destinationZone }) => destinationZone === zone) ?? []
  const clients = new Set(inbound.filter(({ side }) => side === 'client').map(({ source }) => source))
  const alone = new Set(inbound.filter(({ source }) => !clients.has(source)).map(({ source }) => source))
  const isBoth = inbound.length > 0 && alone.size === 0
  return {
    requirement,
    capability: 3,
    achieved: isBoth ? 3 : 2,
    evidence: isBoth ? 'enforced at both ends' : 'enforced at the destination',
    next: isBoth
      ? 'an export to the network that is in force: not built'
      : alone.size === 0
        ? 'traffic that shows both ends'
        : `callers that enforce too: ${[...alone].slice(0, 3).join(', ')}`,
  }
}

function response(tables: Tables, zone: string, { observations, lastQuarantineMs, now }: LevelFacts): Judged {
  const isReporting = observations !== undefined && silentServices(tables, zone, observations).length === 0
  const isDrilled = lastQuarantineMs !== undefined && now - lastQuarantineMs <= MONTH_MS
  return {
    requirement: 'timely response',
    capability: 4,
    achieved: !isReporting ? 1 : isDrilled ? 4 : 3,
    evidence: !isReporting
      ? 'decisions are not known to arrive'
      : isDrilled
        ? 'fast lane, exercised this month'
        : 'fast lane',
    next: isReporting ? 'a quarantine drill each month' : 'services that report their decisions',
  }
}

function availability({ set, zones }: Tables, zone: string): Judged {
  const own = set.zones.find(({ id }) => id === zone)
  const isSet =
    own?.hardStaleMs !== undefined || (own?.target ?? 0) >= 3 || set.settings.bundle.hardStaleMs !== undefined
  const isKept = zones.get(zone)?.hardStaleMs === Infinity
  return {
    requirement: 'resource availability',
    capability: 3,
    achieved: isSet && !isKept ? 3 : 2,
    evidence:
      isSet && !isKept
        ? `hardStale ${Math.round((zones.get(zone)?.hardStaleMs ?? 0) / 60_000)} min`
        : 'keeps the last policy, alarms at maxStale',
    next:
      isSet && !isKept ? 'an offline start that was tested here: not measured' : 'hardStale, with onHardStale: deny',
  }
}

/** The services of a zone, and the live rules that allow somebody to call them. */
interface ZoneContent {
  readonly services: string[]
  readonly rules: Rule[]
}

const known = new WeakMap<Tables, ReadonlyMap<string, ZoneContent>>()

/** Found once for all zones. */
function zoneContents(tables: Tables): ReadonlyMap<string, ZoneContent> {
  let contents = known.get(tables)
  if (contents === undefined) known.set(tables, (contents = findContents(tables)))
  return contents
}

function findContents({ zones, services, set }: Tables): ReadonlyMap<string, ZoneContent> {
  const contents = new Map(
    Array.from(zones.keys(), (zone): [string, ZoneContent] => [zone, { services: [], rules: [] }]),
  )
  const contentOf = (service: string): ZoneContent | undefined =>
    contents.get(services.get(service)?.party.zone?.id ?? '')
  for (const id of services.keys()) contentOf(id)?.services.push(id)
  for (const rule of set.rules)
    if (rule.effect === 'allow' && rule.stage === 'live') contentOf(rule.to)?.rules.push(rule)
  return contents
}

function silentServices(tables: Tables, zone: string, observations: readonly Observation[] | undefined): string[] {
  if (observations === undefined) return []
  const seen = new Set(observations.filter(({ side }) => side === 'server').map(({ service }) => service))
  return (zoneContents(tables).get(zone)?.services ?? []).filter((id) => !seen.has(id))
}
