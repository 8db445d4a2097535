import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { type HeldSvid, isFor } from './held-svid.ts'
import type { Order } from './orders.ts'

/** What there is for a set of entries at this moment. */
export interface SvidsNow<S extends HeldSvid> {
  /** In the order of the entries. */
  readonly held: readonly S[]
  /** Being signed for the first time: an answer is near. */
  readonly pending: number
  /** Why the last attempt for one of them failed; it is tried again until it succeeds. */
  readonly failure: Error | undefined
}

/**
 * Gathers what there is for these entries, and orders what is missing.
 *
 * @param find the SVID of an entry that is good to hand out, for whichever state of the entry it was signed
 */
export function svidsNow<S extends HeldSvid>(
  entries: readonly RegistrationEntry[],
  find: (entry: RegistrationEntry) => S | undefined,
  order: (entry: RegistrationEntry) => Order,
): SvidsNow<S> {
  const held: S[] = []
  let pending = 0
  let failure: Error | undefined
  for (const entry of entries) {
    const svid = find(entry)
    if (svid !== undefined && isFor(svid, entry)) {
      held.push(svid)
      continue
    }
    const failed = order(entry).failure
    failure ??= failed
    if (failed === undefined) pending++
    // An older state of the same identity is better than none while the server cannot be asked.
    else if (svid?.spiffeId.equals(entry.spiffeId)) held.push(svid)
  }
  return { held, pending, failure }
}
