import { codes } from './codes.ts'
import { covers, type CompiledConduit } from './conduit.ts'
import type { Decision } from './decision.ts'
import { conduitsBetween, pairOf } from './pair.ts'
import type { Party } from './party.ts'
import type { Conduit, Rule } from './policy-set.ts'
import type { Candidate } from './record.ts'
import type { CompiledService, Tables } from './tables.ts'

/** So many conduits from other zones are told as the nearest. */
const NEAREST_TOLD = 3

/** Conduits of the two zones that are for other identities, which the pair does not even hold. */
export function conduitsForOthers(tables: Tables, source: Party, { party }: CompiledService): Candidate[] {
  return conduitsBetween(tables, source, party).flatMap(({ id, from, to }) => {
    const outcome =
      from?.has(source) === false ? 'otherSubject' : to?.has(party) === false ? 'otherDestination' : undefined
    return outcome === undefined
      ? []
      : [{ gate: 'movement' as const, kind: 'conduit' as const, id, party: source.id, outcome }]
  })
}

/** Candidates whose turn never came: for another action, or because the answer stood. */
export function neverAsked(
  tables: Tables,
  source: Party,
  service: CompiledService,
  asked: readonly Candidate[],
  action: string | null,
): Candidate[] {
  const { conduits, rules } = pairOf(tables, source, service)
  const known = new Set(asked.map(({ gate, id, party }) => `${gate} ${id} ${party}`))
  const all = [
    ...conduits.map(({ id }) => ({
      gate: 'movement' as const,
      kind: 'conduit' as const,
      id,
      outcome: 'notAsked' as const,
    })),
    ...rules.map(({ id, actions }) => ({
      gate: 'access' as const,
      kind: 'rule' as const,
      id,
      outcome: action !== null && !actions.has(action) ? ('otherAction' as const) : ('notAsked' as const),
    })),
  ]
  return all
    .filter(({ gate, id }) => !known.has(`${gate} ${id} ${source.id}`))
    .map((candidate) => ({ ...candidate, party: source.id }))
}

/** Rules on the service that do not name the source. */
export function rulesForOthers(source: Party, { rules }: CompiledService): Candidate[] {
  const named = new Set(rules.of(source))
  return rules.all
    .filter((rule) => !named.has(rule))
    .map(({ id }) => ({ gate: 'access', kind: 'rule', id, party: source.id, outcome: 'otherSubject' }))
}

/** Conduits from elsewhere that lead to this destination on this port, the narrowest first: somebody to call through. */
export function nearestConduits(
  tables: Tables,
  source: Party,
  { party, service }: CompiledService,
  port: number,
): Conduit[] {
  const protocol = service.listeners.find((listener) => listener.port === port)?.protocol
  const zone = party.zone?.id
  if (zone === undefined || protocol === undefined) return []
  const found: CompiledConduit[] = []
  for (const to of tables.conduits.values()) {
    for (const compiled of to.get(zone) ?? []) {
      const isElsewhere = compiled.conduit.from.zone !== source.zone?.id || compiled.from?.has(source) === false
      const isFor = compiled.to === undefined || compiled.to.has(party)
      if (isElsewhere && isFor && covers(compiled.conduit.allow, protocol, port)) found.push(compiled)
    }
  }
  return found
    .map(({ conduit }) => conduit)
    .sort((a, b) => widthOf(a) - widthOf(b) || (a.id < b.id ? -1 : 1))
    .slice(0, NEAREST_TOLD)
}

const widthOf = ({ from, to }: Conduit): number =>
  (from.identities === undefined ? 2 : 0) + (to.identities === undefined ? 1 : 0)

/** What the reader can do about a refusal, as a sentence; null: it was allowed. */
export function fixOf(
  tables: Tables,
  decision: Decision,
  nearest: readonly Conduit[],
  guard: { readonly hard: boolean } | undefined,
): string | null {
  const { code, src, dst, action } = decision
  if (code === null) return null
  const owner = tables.set.zones.find(({ id }) => id === dst.zone)?.owner
  const ask = owner === undefined || owner === '' ? 'the owner of the policy' : owner
  const through = nearest.flatMap(({ from }) => from.identities ?? []).map((path) => path.split('/').at(-1))
  const detour = through[0] === undefined ? '' : `call through ${through[0]}, or `
  switch (code) {
    case 'GUARD':
      return `${decision.deniedBy === 'movement' ? detour : ''}ask ${ask} for an exception to the guard${guard?.hard === true ? ' (hard: needs policy owner)' : ''}`
    case 'NO_CONDUIT':
      return `${detour}ask ${ask} for a conduit ${src.zone ?? '?'} -> ${dst.zone ?? '?'}`
    case 'NO_RULE':
      return `ask ${ask} for a rule that allows ${src.id ?? '?'} ${action ?? '?'} on ${dst.service}`
    case 'CALLER_NO_RULE':
      return `ask ${ask} for a rule that allows ${decision.caller ?? '?'} ${action ?? '?'} on ${dst.service}`
    default:
      return codes[code].remedy
  }
}

/** The owner's view of a rule, for the line that tells it. */
export const printSubjects = ({ from }: Rule): string =>
  from.map((subject) => ('zone' in subject ? `zone ${subject.zone}` : subject.pattern)).join(', ')
