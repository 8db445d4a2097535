import { Parties } from '../../src/policy/parties.ts'
import { readSlice } from '../../src/policy/read-slice.ts'
import type { HeldSliceState, PolicyState } from './policy-state.ts'

/** A slice stays the same object for as long as it is held. */
const known = new WeakMap<HeldSliceState, readonly string[]>()

/**
 * The zones of an identity of this node, by its slice: one, or several when its membership is ambiguous. Empty where there is no
 * slice, or none that this version can read: who has none reaches nothing.
 */
export function zonesOf({ slices }: Pick<PolicyState, 'slices'>, spiffeId: string): readonly string[] {
  const slice = slices.get(spiffeId)
  if (slice === undefined) return []
  let zones = known.get(slice)
  if (zones === undefined) known.set(slice, (zones = zonesIn(slice, spiffeId)))
  return zones
}

function zonesIn({ signed }: HeldSliceState, spiffeId: string): readonly string[] {
  try {
    const { policy, members } = readSlice(signed.content)
    const party = new Parties(policy, members, new Map()).of(spiffeId)
    return typeof party === 'string' ? [] : party.zoneIds
  } catch {
    return []
  }
}
