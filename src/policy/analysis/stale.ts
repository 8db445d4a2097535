import { isExact, parsePattern } from '../pattern.ts'
import type { PolicySet } from '../policy-set.ts'
import type { IdentityRow } from '../membership.ts'
import type { Tables } from '../tables.ts'
import type { RegisteredEntry } from './compromise.ts'
import type { Observation } from './observed.ts'

export const staleKinds = {
  stale: 'no SVID was issued',
  idle: 'neither asked for anything nor was asked',
  orphan: 'its owner is offboarded, or there is none',
  unplaced: 'in no zone',
  ambiguous: 'in more than one zone',
  ghost: 'named by the policy, not registered',
  shadow: 'seen in traffic, in no zone',
} as const
export type StaleKind = keyof typeof staleKinds

export interface StaleIdentity {
  readonly id: string
  readonly kind: StaleKind
  readonly zone: string | null
}

export interface StaleFacts {
  readonly entries: readonly RegisteredEntry[]
  readonly rows: readonly IdentityRow[]
  /** Undefined: no traffic is known, so nobody is called idle. */
  readonly observations: readonly Observation[] | undefined
  /** Ids that got an SVID; undefined: not known. */
  readonly issued: ReadonlySet<string> | undefined
  readonly offboarded: ReadonlySet<string>
  /** Entries that were made later are too young to be judged. */
  readonly sinceMs: number
}

/** Identities that are there and not used, or used and not there. @see zones.md §4.5 */
export function staleIdentities(tables: Tables, facts: StaleFacts): StaleIdentity[] {
  const { entries, rows, observations, issued, sinceMs } = facts
  const young = new Set(entries.filter(({ createdMs = 0 }) => createdMs > sinceMs).map(({ spiffeId }) => spiffeId))
  const active = observations === undefined ? undefined : activeIds(tables, observations)
  const registered = rows.flatMap(({ spiffeId: id, zone, labels }): StaleIdentity[] => {
    const found: StaleKind[] = []
    if (zone === null) found.push('unplaced')
    else if (typeof zone !== 'string') found.push('ambiguous')
    if (!hasOwner(tables, zone, labels['owner'], facts.offboarded)) found.push('orphan')
    if (!young.has(id)) {
      if (issued?.has(id) === false) found.push('stale')
      else if (active?.has(id) === false) found.push('idle')
    }
    return found.map((kind) => ({ id, kind, zone: typeof zone === 'string' ? zone : null }))
  })
  return [...registered, ...ghosts(tables.set, rows), ...shadows(observations ?? [])]
}

function activeIds(tables: Tables, observations: readonly Observation[]): Set<string> {
  const active = new Set<string>()
  for (const { source, service } of observations) {
    active.add(source)
    const destination = tables.services.get(service)?.party.id
    if (destination !== undefined) active.add(destination)
  }
  return active
}

/** The label `owner`, else the owner of its zone. */
function hasOwner(
  { set }: Tables,
  zone: IdentityRow['zone'],
  label: string | undefined,
  offboarded: ReadonlySet<string>,
): boolean {
  const owner = label ?? set.zones.find(({ id }) => id === zone)?.owner
  return owner !== undefined && !offboarded.has(owner)
}

/** Ids that rules, conduits and services name one by one. Foreign ones register elsewhere. */
function ghosts({ rules, conduits, services, trustDomain }: PolicySet, rows: readonly IdentityRow[]): StaleIdentity[] {
  if (rows.length === 0) return []
  const registered = new Set(rows.map(({ spiffeId }) => spiffeId))
  const patterns = [
    ...rules.flatMap(({ from }) => from.flatMap((subject) => ('pattern' in subject ? subject.pattern : []))),
    ...conduits.flatMap(({ from, to }) => [...(from.identities ?? []), ...(to.identities ?? [])]),
    ...services.map(({ identity }) => identity),
  ]
  const named = patterns.flatMap((text) => {
    const pattern = parsePattern(text)
    const isOwn = pattern.trustDomain === undefined || pattern.trustDomain === trustDomain
    return isOwn && isExact(pattern) ? `spiffe://${trustDomain}/${pattern.segments.join('/')}` : []
  })
  return [...new Set(named)].filter((id) => !registered.has(id)).map((id) => ({ id, kind: 'ghost', zone: null }))
}

function shadows(observations: readonly Observation[]): StaleIdentity[] {
  const seen = observations.filter(({ code, sourceZone }) => code === 'UNKNOWN_ZONE' && sourceZone === null)
  return [...new Set(seen.map(({ source }) => source))].map((id) => ({ id, kind: 'shadow', zone: null }))
}
