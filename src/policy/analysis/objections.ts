import type { LifecycleIndex } from '../lifecycle-index.ts'
import type { Party } from '../party.ts'
import type { CompiledService, Tables } from '../tables.ts'
import { candidatesOf } from './candidates.ts'
import { mayBeValid } from './moment.ts'
import { possibleOutcomes } from './possible-outcomes.ts'

/** Why nothing may be proposed that lets somebody do something, by what is laid down about them; undefined: nothing speaks against it. */
export type Objections = (source: Party, service: CompiledService, action: string) => string | undefined

/** Quarantine, guards and deny rules: no draft goes against them. @see zones.md §4.9 */
export function objectionsOf(tables: Tables, lifecycle: LifecycleIndex, now: number): Objections {
  return (source, service, action) => {
    if (lifecycle.quarantinesOf(source).length > 0) return 'the source is in quarantine'
    if (lifecycle.offboarded.has(source.id)) return 'the source is offboarded'
    if (source.zone === undefined) return 'the source is not in one zone'
    if (service.party.zone === undefined) return 'the service is not in one zone'
    const guard = [
      ...tables.movementGuards,
      ...tables.accessGuards.filter(({ actions }) => actions?.has(action) !== false),
    ].find(({ concerns }) => concerns(source, service.party, service.id))
    if (guard !== undefined) return `${guard.hard ? 'hard guard' : 'guard'} ${guard.id} forbids it`
    const deny = candidatesOf(tables)
      .rulesOf(source)
      .find(
        ({ isAllow, rule, actions }) =>
          !isAllow &&
          rule.to === service.id &&
          actions.has(action) &&
          mayBeValid(rule.valid, { from: now }) &&
          mayDeny(tables, rule.when, source, service.party),
      )
    return deny === undefined ? undefined : `rule ${deny.id} denies it`
  }
}

/** An error in the condition of a deny rule is a match. */
function mayDeny(tables: Tables, when: string | undefined, source: Party, destination: Party): boolean {
  if (when === undefined) return true
  const { mayHold, mayErr } = possibleOutcomes(tables, when)(source.facts, destination.facts)
  return mayHold || mayErr
}
