import { Parties } from '../../src/policy/parties.ts'
import { readSlice } from '../../src/policy/read-slice.ts'
import type { HeldSliceState, PolicyState } from './policy-state.ts'

/** A slice stays the same object for as long as it is held. */
const known = new WeakMap<HeldSliceState, readonly string[]>()
/** Of the one slice that peers are looked up in. */
const partiesKnown = new WeakMap<HeldSliceState, Parties | undefined>()

/**
 * The zones of an identity of this node, by its slice: one, or several when its membership is ambiguous. Empty where there is no
 * slice, or none that this version can read: who has none reaches nothing.
 */
export function zonesOf({ slices }: Pick<PolicyState, 'slices'>, spiffeId: string): readonly string[] {
  const slice = slices.get(spiffeId)
  if (slice === undefined) return []
  let zones = known.get(slice)
  if (zones === undefined) known.set(slice, (zones = zonesIn(readParties(slice), spiffeId)))
  return zones
}

/**
 * The zones of any identity, by what each slice says of everybody: patterns, and the rows of those whom patterns would misplace.
 * Empty where no slice is held that this version can read.
 */
export function zonesOfPeer({ slices }: Pick<PolicyState, 'slices'>, spiffeId: string): readonly string[] {
  for (const slice of slices.values()) {
    if (!partiesKnown.has(slice)) partiesKnown.set(slice, readParties(slice))
    const parties = partiesKnown.get(slice)
    if (parties !== undefined) return zonesIn(parties, spiffeId)
  }
  return []
}

function zonesIn(parties: Parties | undefined, spiffeId: string): readonly string[] {
  const party = parties?.of(spiffeId)
  return party === undefined || typeof party === 'string' ? [] : party.zoneIds
}

function readParties({ signed }: HeldSliceState): Parties | undefined {
  try {
    const { policy, members } = readSlice(signed.content)
    return new Parties(policy, members, new Map())
  } catch {
    return undefined
  }
}
