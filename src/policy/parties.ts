import { SpiffeId } from '../id/spiffe-id.ts'
import { BoundedCache } from './bounded-cache.ts'
import type { Code } from './codes.ts'
import type { IdentityRow } from './membership.ts'
import { MembershipRules } from './membership-rules.ts'
import { partyOf, type Party } from './party.ts'
import { parsePattern, segmentsOf } from './pattern.ts'
import { PatternIndex } from './pattern-index.ts'
import type { PolicySet } from './policy-set.ts'
import type { CompiledZone } from './zone.ts'

/** So many parties are kept as they were resolved, more than a busy service has peers; whoever sends more ids costs time, not memory. */
const PARTIES_KEPT = 16_384

interface Accepted {
  readonly zone: string
  readonly accept: PatternIndex<true>
}

/** Finds what the policy knows of an id: rows, else patterns, else its federation entry (§3.4). */
export class Parties {
  readonly #trustDomain: string
  readonly #zones: ReadonlyMap<string, CompiledZone>
  readonly #membership: MembershipRules
  readonly #rows = new Map<string, IdentityRow>()
  readonly #federation = new Map<string, Accepted>()
  readonly #known = new BoundedCache<string, Party>(PARTIES_KEPT)

  constructor(set: PolicySet, rows: Iterable<IdentityRow>, zones: ReadonlyMap<string, CompiledZone>) {
    this.#trustDomain = set.trustDomain
    this.#zones = zones
    this.#membership = new MembershipRules(set)
    for (const row of rows) this.#rows.set(row.spiffeId, row)
    for (const { trustDomain, accept, zone } of set.federation) {
      const patterns = new PatternIndex<true>()
      for (const pattern of accept) patterns.add(parsePattern(pattern), true)
      this.#federation.set(trustDomain, { zone, accept: patterns })
    }
  }

  /** The party of an id, or why it is none. */
  of(id: string): Party | Code {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const party = this.#resolve(id)
    return typeof party === 'string' ? party : this.#known.keep(id, party)
  }

  /** For people: the pattern, label or selector that placed an id; empty: nothing did. */
  viaOf({ id, foreignDomain, segments, zone }: Party): string {
    if (foreignDomain !== undefined) return zone === undefined ? '' : `federation ${foreignDomain}`
    const row = this.#rows.get(id)
    if (row !== undefined) return row.via
    return this.#membership
      .byPattern(segments)
      .map(({ via }) => via)
      .join('; ')
  }

  #resolve(id: string): Party | Code {
    const parsed = parse(id)
    if (parsed === undefined || parsed.path === '') return 'SVID_MALFORMED'
    const domain = parsed.trustDomain.name
    if (domain === this.#trustDomain) return this.#local(id, parsed.path)
    const accepted = this.#federation.get(domain)
    if (accepted === undefined) return 'UNKNOWN_TRUST_DOMAIN'
    const segments = segmentsOf(parsed.path)
    const isAccepted = accepted.accept.mostSpecific(segments).length > 0
    return this.#party(id, domain, segments, isAccepted ? [accepted.zone] : [], {})
  }

  #local(id: string, path: string): Party {
    const segments = segmentsOf(path)
    const row = this.#rows.get(id)
    if (row === undefined) {
      const zones = this.#membership.byPattern(segments).map(({ zone }) => zone)
      return this.#party(id, undefined, segments, zones, {})
    }
    const zones = row.zone === null ? [] : typeof row.zone === 'string' ? [row.zone] : row.zone
    return this.#party(id, undefined, segments, zones, row.labels)
  }

  #party(
    id: string,
    foreignDomain: string | undefined,
    segments: readonly string[],
    zoneIds: readonly string[],
    labels: Readonly<Record<string, string>>,
  ): Party {
    const zone = zoneIds.length === 1 ? this.#zones.get(zoneIds[0] as string) : undefined
    return partyOf({ id, foreignDomain, segments, zone, zoneIds, labels })
  }
}

function parse(id: string): SpiffeId | undefined {
  try {
    return SpiffeId.parse(id)
  } catch {
    return undefined
  }
}
