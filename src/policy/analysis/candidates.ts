import type { Party } from '../party.ts'
import { RuleIndex, type CompiledRule } from '../rule-index.ts'
import type { CompiledService, Tables } from '../tables.ts'

/** The rules of all services by subject: whoever asks for everything that one source reaches does not ask service by service. */
export interface Candidates {
  /** Every live rule that names a party, in the order of their ids. */
  rulesOf(party: Party): readonly CompiledRule[]
  /** Every live rule, by id. */
  readonly rules: ReadonlyMap<string, CompiledRule>
  /** Services in zones that observe. */
  readonly observing: readonly CompiledService[]
  /** The place of a service in the policy. */
  readonly orderOf: ReadonlyMap<string, number>
}

const known = new WeakMap<Tables, Candidates>()

/** Made once for each tables. */
export function candidatesOf(tables: Tables): Candidates {
  let candidates = known.get(tables)
  if (candidates === undefined) known.set(tables, (candidates = makeCandidates(tables)))
  return candidates
}

function makeCandidates({ set, services }: Tables): Candidates {
  const index = new RuleIndex(set.trustDomain)
  const rules = new Map<string, CompiledRule>()
  for (const service of services.values())
    for (const rule of service.rules.all) {
      // A rule with a zone or pattern among its subjects twice is still one rule.
      if (rules.has(rule.id)) continue
      rules.set(rule.id, rule)
      index.add(rule)
    }
  return {
    rules,
    rulesOf: (party) => index.of(party),
    orderOf: new Map([...services.keys()].map((id, order) => [id, order])),
    observing: [...services.values()].filter(({ party }) => party.zone?.observes === true),
  }
}
