import type { PartyFacts } from './condition/compile-condition.ts'
import type { Code } from './codes.ts'
import { matchesSegments, parsePattern, type Pattern } from './pattern.ts'
import type { CompiledZone } from './zone.ts'

/** A source, destination or caller, with what the policy knows of it. */
export interface Party {
  readonly id: string
  /** Undefined: the own one. */
  readonly foreignDomain: string | undefined
  readonly segments: readonly string[]
  /** Undefined: in none, or in more than one. */
  readonly zone: CompiledZone | undefined
  readonly zoneProblem: Code | null
  /** All of its zones, also when they are too many: quarantine of one is enough. */
  readonly zoneIds: readonly string[]
  readonly facts: PartyFacts
}

/** A list of patterns that is asked for whole ids. */
export interface IdentitySet {
  has(party: Pick<Party, 'id' | 'foreignDomain' | 'segments'>): boolean
}

/** Patterns of conduits, guards and templates. Without a trust domain they are those of the own one. */
export function identitySet(patterns: readonly string[], trustDomain: string): IdentitySet {
  const exact = new Set<string>()
  const open: Pattern[] = []
  for (const pattern of patterns.map((text) => localPattern(text, trustDomain))) {
    if (pattern.segments.some((segment) => segment.startsWith('*'))) open.push(pattern)
    else exact.add(`spiffe://${pattern.trustDomain ?? trustDomain}/${pattern.segments.join('/')}`)
  }
  return {
    has: ({ id, foreignDomain, segments }) =>
      exact.has(id) ||
      open.some((pattern) => pattern.trustDomain === foreignDomain && matchesSegments(pattern, segments)),
  }
}

/** A pattern where the own trust domain, written out, is the same as none. */
export function localPattern(text: string, trustDomain: string): Pattern {
  const pattern = parsePattern(text)
  return pattern.trustDomain === trustDomain ? { ...pattern, trustDomain: undefined } : pattern
}

export interface PartyParts {
  readonly id: string
  readonly foreignDomain: string | undefined
  readonly segments: readonly string[]
  readonly zone: CompiledZone | undefined
  readonly zoneIds: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

export function partyOf({ id, foreignDomain, segments, zone, zoneIds, labels }: PartyParts): Party {
  return {
    id,
    foreignDomain,
    segments,
    zone,
    zoneProblem: zone !== undefined ? null : zoneIds.length > 1 ? 'AMBIGUOUS_ZONE' : 'UNKNOWN_ZONE',
    zoneIds,
    facts: { id, zone: zone?.id, target: zone?.target, labels },
  }
}
