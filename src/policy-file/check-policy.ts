import type { Place } from '../config/yaml-source.ts'
import type { IdentityRow, RegisteredIdentity } from '../policy/membership.ts'
import type { PolicySet } from '../policy/policy-set.ts'
import { resolveMembership } from '../policy/resolve-membership.ts'
import { checkConduits } from './check-conduits.ts'
import { checkElevation } from './check-elevation.ts'
import { checkIdentities } from './check-identities.ts'
import { checkNames } from './check-names.ts'
import { checkRules } from './check-rules.ts'
import { checkServices } from './check-services.ts'
import { checkTime } from './check-time.ts'
import { checkZones } from './check-zones.ts'
import type { Finding } from './finding.ts'
import { findingOf, type Found } from './found.ts'
import { PolicyIndex } from './policy-index.ts'

export interface CheckOptions {
  /** Every registration entry: without them ambiguous ids are found only where two zones say the same. */
  readonly registered?: readonly RegisteredIdentity[]
  /** Their rows, where they have been resolved already. */
  readonly rows?: readonly IdentityRow[] | undefined
  /** Milliseconds since 1970; undefined: what has passed is not looked at. */
  readonly now?: number
  /** Zones that observe, and since when. */
  readonly observingSince?: ReadonlyMap<string, number>
  /** Of a policy that was read from a file. */
  readonly placeOf?: (path: readonly PropertyKey[]) => Place | undefined
}

/**
 * Everything that is wrong with a policy or deserves a look, errors first, each kind in the order of the file.
 *
 * @see zones.md §3.19, §6
 */
export function checkPolicy(set: PolicySet, options: CheckOptions = {}): Finding[] {
  const { registered = [], now, observingSince = new Map<string, number>(), placeOf = () => undefined } = options
  const rows = options.rows ?? resolveMembership(set, registered)
  const index = new PolicyIndex(set, rows)
  const found: Found[] = [
    ...checkNames(index),
    ...checkZones(index),
    ...checkServices(index),
    ...checkConduits(index),
    ...checkRules(index),
    ...checkElevation(index),
    ...checkIdentities(registered, rows),
    ...(now === undefined ? [] : checkTime(index, now, observingSince)),
  ]
  return found.map((one) => findingOf(one, placeOf)).sort((a, b) => rank(a) - rank(b))
}

const rank = ({ severity }: Finding): number => (severity === 'error' ? 0 : 1)
