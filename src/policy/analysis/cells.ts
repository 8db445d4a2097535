import { joins, type CompiledConduit } from '../conduit.ts'
import { conduitsBetween } from '../pair.ts'
import type { Party } from '../party.ts'
import type { Validity } from '../policy-set.ts'
import type { CompiledRule } from '../rule-index.ts'
import type { Tables } from '../tables.ts'
import { candidatesOf } from './candidates.ts'
import { directReach, type ReachOptions } from './direct-reach.ts'
import { possibleOutcomes } from './possible-outcomes.ts'

/** What one source may do, and on which conditions: one action on one service. */
export interface Cell {
  readonly service: string
  readonly action: string
  readonly conduit: string | null
  readonly rule: string | null
  /** What it depends on besides the source and the action: windows, validity, conditions about the request. Equal texts, equal cells. */
  readonly terms: string
}

export const cellKey = ({ service, action }: Pick<Cell, 'service' | 'action'>): string => `${service} ${action}`

/** Every cell that a source has. */
export function cellsOf(tables: Tables, source: Party, options: ReachOptions): Cell[] {
  const rules = candidatesOf(tables).rulesOf(source)
  return directReach(tables, source, options).flatMap(({ service, actions }) => {
    const own = rules.filter(({ rule }) => rule.to === service)
    const paths = pathTerms(tables, source, service)
    return actions.map(({ action, conduit, rule }): Cell => {
      const terms = [...paths, ...ruleTerms(tables, source, service, action, own)]
      return { service, action, conduit, rule, terms: terms.sort().join('\n') }
    })
  })
}

function pathTerms(tables: Tables, source: Party, service: string): string[] {
  const destination = tables.services.get(service)?.party
  if (destination === undefined) return []
  const conduits = conduitsBetween(tables, source, destination).filter((conduit) => joins(conduit, source, destination))
  const guards = tables.movementGuards.flatMap((guard) =>
    guard.guard.when !== undefined && guard.concerns(source, destination, service) ? [`guard ${guard.guard.when}`] : [],
  )
  return [...openTerms(conduits.map(conduitTerm), 'conduit'), ...guards]
}

const conduitTerm = ({ conduit }: CompiledConduit): string =>
  `${validityTerm(conduit.valid)}${conduit.window === undefined ? '' : `window ${JSON.stringify(conduit.window)}`}`

const validityTerm = ({ from, until }: Validity): string =>
  `${from === undefined ? '' : `from ${from} `}${until === undefined ? '' : `until ${until} `}`

function ruleTerms(
  tables: Tables,
  source: Party,
  service: string,
  action: string,
  rules: readonly CompiledRule[],
): string[] {
  const destination = tables.services.get(service)?.party
  if (destination === undefined) return []
  const termOf = ({ rule }: CompiledRule): string | undefined => {
    if (rule.when === undefined) return validityTerm(rule.valid)
    const { mayHold, mayFail, mayErr } = possibleOutcomes(tables, rule.when)(source.facts, destination.facts)
    // What is decided by the two parties is in the cell already.
    const isDecided = [mayHold, mayFail, mayErr].filter(Boolean).length === 1
    if (isDecided) return (rule.effect === 'allow' ? mayHold : !mayFail) ? validityTerm(rule.valid) : undefined
    return `${validityTerm(rule.valid)}when ${rule.when}`
  }
  const speaking = rules.filter(({ actions }) => actions.has(action))
  const allows = speaking.filter(({ isAllow }) => isAllow).flatMap((rule) => termOf(rule) ?? [])
  const denies = speaking.filter(({ isAllow }) => !isAllow).flatMap((rule) => termOf(rule) ?? [])
  const guards = tables.accessGuards.flatMap((guard) =>
    guard.guard.when !== undefined &&
    guard.actions?.has(action) !== false &&
    guard.concerns(source, destination, service)
      ? [`guard ${guard.guard.when}`]
      : [],
  )
  return [...openTerms(allows, 'rule'), ...denies.map((term) => `deny ${term}`), ...guards]
}

/** One that always opens makes the terms of the others needless. */
const openTerms = (terms: readonly string[], kind: string): string[] =>
  terms.includes('') ? [] : [...new Set(terms)].map((term) => `${kind} ${term}`)
