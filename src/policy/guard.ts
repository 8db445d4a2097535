import { compileCondition, type Condition } from './condition/compile-condition.ts'
import { identitySet, type IdentitySet, type Party } from './party.ts'
import type { Guard, Predicate } from './policy-set.ts'
import type { CompiledZone } from './zone.ts'

/** A guard as it is asked: what does not depend on the request is asked once per source and service. */
export interface CompiledGuard {
  readonly id: string
  readonly hard: boolean
  readonly except: ReadonlySet<string>
  /** Undefined: every action. */
  readonly actions: ReadonlySet<string> | undefined
  readonly when: Condition | undefined
  readonly guard: Guard
  concerns(source: Party, destination: Party, service: string): boolean
}

/** @param identityOf the SPIFFE ID of a service; undefined: there is no such service */
export function compileGuard(
  guard: Guard,
  trustDomain: string,
  identityOf: (service: string) => string | undefined,
): CompiledGuard {
  const [from, to] = [compilePredicate(guard.from, trustDomain), compilePredicate(guard.to, trustDomain)]
  const { service: fromService } = guard.from
  const { service: toService } = guard.to
  return {
    id: guard.id,
    hard: guard.hard,
    except: new Set(guard.except),
    actions: guard.to.actions === undefined ? undefined : new Set(guard.to.actions),
    when: guard.when === undefined ? undefined : compileCondition(guard.when),
    guard,
    concerns: (source, destination, service) =>
      from(source) &&
      to(destination) &&
      (fromService === undefined || identityOf(fromService) === source.id) &&
      (toService === undefined || toService === service),
  }
}

/** Everything of a predicate but service and actions; all keys must hold (ZO-25). */
function compilePredicate(predicate: Predicate, trustDomain: string): (party: Party) => boolean {
  const identities: IdentitySet | undefined =
    predicate.identities === undefined ? undefined : identitySet(predicate.identities, trustDomain)
  return (party) =>
    (identities === undefined || identities.has(party)) &&
    // An unresolved zone matches every zone predicate: what is unknown is not let past a guard.
    (party.zone === undefined || matchesZone(predicate, party.zone))
}

function matchesZone(predicate: Predicate, zone: CompiledZone): boolean {
  const { maxTarget, minTarget, notZone, notAdmin } = predicate
  return (
    (maxTarget === undefined || zone.target <= maxTarget) &&
    (minTarget === undefined || zone.target >= minTarget) &&
    (predicate.zone === undefined || zone.id === predicate.zone) &&
    zone.id !== notZone &&
    (predicate.sensitivity === undefined || zone.sensitivity === predicate.sensitivity) &&
    (predicate.admin === undefined || zone.admin === predicate.admin) &&
    zone.admin !== notAdmin &&
    (predicate.crownJewel === undefined || zone.crownJewel === predicate.crownJewel)
  )
}
