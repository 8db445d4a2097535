import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector, type Selector } from '../../src/entry/selector.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { AttestedAgent } from '../store/store.ts'

/** How a set that something has is compared with a set that is asked for. */
export type MatchBehaviour =
  /** The two are equal. */
  | 'exact'
  /** Everything it has is asked for; it has at least one. */
  | 'subset'
  /** It has everything that is asked for. */
  | 'superset'
  /** It has at least one that is asked for. */
  | 'any'

export interface EntryFilter {
  readonly spiffeId?: SpiffeId | undefined
  readonly parentId?: SpiffeId | undefined
  readonly selectors?: { readonly selectors: readonly Selector[]; readonly match: MatchBehaviour } | undefined
  readonly federatesWith?: { readonly trustDomains: readonly string[]; readonly match: MatchBehaviour } | undefined
  readonly hint?: string | undefined
  readonly downstream?: boolean | undefined
}

export interface AgentFilter {
  readonly attestationType?: string | undefined
  readonly selectors?: { readonly selectors: readonly Selector[]; readonly match: MatchBehaviour } | undefined
  readonly banned?: boolean | undefined
  readonly canReattest?: boolean | undefined
  readonly expiresBefore?: Date | undefined
}

/** A test for entries, made once per list. */
export function entryTest(filter: EntryFilter): (entry: RegistrationEntry) => boolean {
  const selectors = filter.selectors && setTest(filter.selectors.selectors.map(printSelector), filter.selectors.match)
  const federatesWith = filter.federatesWith && setTest(filter.federatesWith.trustDomains, filter.federatesWith.match)
  return (entry) =>
    (filter.spiffeId === undefined || entry.spiffeId.equals(filter.spiffeId)) &&
    (filter.parentId === undefined || entry.parentId.equals(filter.parentId)) &&
    (filter.hint === undefined || entry.hint === filter.hint) &&
    (filter.downstream === undefined || entry.downstream === filter.downstream) &&
    (selectors === undefined || selectors(entry.selectors.map(printSelector))) &&
    (federatesWith === undefined || federatesWith(entry.federatesWith.map(({ name }) => name)))
}

/** A test for agents, made once per list. */
export function agentTest(filter: AgentFilter): (agent: AttestedAgent) => boolean {
  const selectors = filter.selectors && setTest(filter.selectors.selectors.map(printSelector), filter.selectors.match)
  return (agent) =>
    (filter.attestationType === undefined || agent.attestationType === filter.attestationType) &&
    (filter.banned === undefined || agent.banned === filter.banned) &&
    (filter.canReattest === undefined || agent.canReattest === filter.canReattest) &&
    (filter.expiresBefore === undefined || agent.expiresAt < filter.expiresBefore) &&
    (selectors === undefined || selectors(agent.selectors.map(printSelector)))
}

function setTest(asked: readonly string[], match: MatchBehaviour): (held: readonly string[]) => boolean {
  const wanted = new Set(asked)
  const within = (held: readonly string[]): boolean => held.length > 0 && held.every((one) => wanted.has(one))
  const covers = (held: readonly string[]): boolean => {
    const has = new Set(held)
    return wanted.size > 0 && [...wanted].every((one) => has.has(one))
  }
  switch (match) {
    case 'exact':
      return (held) => within(held) && covers(held)
    case 'subset':
      return within
    case 'superset':
      return covers
    case 'any':
      return (held) => held.some((one) => wanted.has(one))
  }
}
