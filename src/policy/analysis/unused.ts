import { identitySet } from '../party.ts'
import type { Conduit, PolicySet, Rule, Subject } from '../policy-set.ts'
import type { Tables } from '../tables.ts'
import { ObjectUses, type ObjectUse } from './object-use.ts'
import type { Observation } from './observed.ts'

/** A conduit or rule that nobody used, or a rule that nobody used whole. */
export interface Unused {
  readonly kind: 'conduit' | 'rule'
  readonly id: string
  readonly owner: string
  readonly status: 'unused' | 'partly'
  readonly use: ObjectUse
  /** Of a rule that is partly used: what would be enough. */
  readonly enough: { readonly from: readonly Subject[]; readonly actions: readonly string[] } | undefined
}

export interface UnusedReport {
  readonly found: readonly Unused[]
  /** Ids of what is younger than the traffic reaches back, and not judged. */
  readonly young: readonly string[]
}

/**
 * What was not used in the traffic that is given. Left out are drafts, deny rules, what is tagged `use: rare`, and what `base`, the
 * policy as it was when the traffic begins, did not have.
 *
 * @see zones.md §4.3
 */
export function unusedObjects(
  tables: Tables,
  observations: Iterable<Observation>,
  base?: Pick<PolicySet, 'conduits' | 'rules'>,
): UnusedReport {
  const { set } = tables
  const uses = new ObjectUses(observations)
  const isJudged = ({ stage, use }: Conduit | Rule): boolean => stage === 'live' && use === 'normal'
  const conduits = set.conduits.filter(isJudged)
  const rules = set.rules.filter((rule) => rule.effect === 'allow' && isJudged(rule))
  const young = base === undefined ? new Set<string>() : idsNotIn(base, [...conduits, ...rules])
  const found = [
    ...conduits
      .filter(({ id }) => !young.has(id) && uses.conduit(id).count === 0)
      .map(({ id, owner }): Unused => {
        return { kind: 'conduit', id, owner, status: 'unused', use: uses.conduit(id), enough: undefined }
      }),
    ...rules.filter(({ id }) => !young.has(id)).flatMap((rule) => unusedRule(tables, rule, uses.rule(rule.id)) ?? []),
  ]
  return { found, young: [...young] }
}

function idsNotIn(
  { conduits, rules }: Pick<PolicySet, 'conduits' | 'rules'>,
  objects: readonly (Conduit | Rule)[],
): Set<string> {
  const known = new Map([...conduits, ...rules].map((object) => [object.id, JSON.stringify(object)]))
  return new Set(objects.filter((object) => known.get(object.id) !== JSON.stringify(object)).map(({ id }) => id))
}

function unusedRule(tables: Tables, { id, owner, from, actions }: Rule, use: ObjectUse): Unused | undefined {
  const found = { kind: 'rule', id, owner, use } as const
  if (use.count === 0) return { ...found, status: 'unused', enough: undefined }
  const used = new Set(use.observations.map(({ action }) => action))
  const enough = {
    from: from.filter((subject) => use.observations.some(({ source }) => isSubject(tables, subject, source))),
    actions: actions.filter((action) => used.has(action)),
  }
  const isWhole = enough.from.length === from.length && enough.actions.length === actions.length
  return isWhole ? undefined : { ...found, status: 'partly', enough }
}

function isSubject({ parties, set }: Tables, subject: Subject, id: string): boolean {
  const party = parties.of(id)
  if (typeof party === 'string') return false
  return 'zone' in subject
    ? party.zone?.id === subject.zone
    : identitySet([subject.pattern], set.trustDomain).has(party)
}
