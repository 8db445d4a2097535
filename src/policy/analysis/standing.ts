import type { Rule } from '../policy-set.ts'
import type { Tables } from '../tables.ts'
import { ObjectUses, type ObjectUse } from './object-use.ts'
import type { Observation } from './observed.ts'
import { administration } from './privilege.ts'

/** A right that stands day and night although it is used on few days: it could be a grant that somebody asks for. */
export interface StandingRule {
  readonly rule: Rule
  readonly use: ObjectUse
  readonly target: number
  readonly isAdministration: boolean
}

/**
 * Rules without an end that were used on fewer than `days` days: administration first, then the highest target, then the least used.
 *
 * @see zones.md §3.9
 */
export function standingRules(tables: Tables, observations: Iterable<Observation>, days: number): StandingRule[] {
  const uses = new ObjectUses(observations)
  const administers = administration(tables)
  return tables.set.rules
    .filter(({ effect, stage, valid }) => effect === 'allow' && stage === 'live' && valid.until === undefined)
    .map((rule): StandingRule => ({
      rule,
      use: uses.rule(rule.id),
      target: tables.services.get(rule.to)?.party.zone?.target ?? 0,
      isAdministration: rule.actions.some((action) => administers({ service: rule.to, action })),
    }))
    .filter(({ use }) => use.days < days)
    .sort(
      (a, b) =>
        Number(b.isAdministration) - Number(a.isAdministration) || b.target - a.target || a.use.days - b.use.days,
    )
}
