import { compile } from '../../src/policy/compile.ts'
import { readSlice } from '../../src/policy/read-slice.ts'
import type { PolicyState } from './policy-state.ts'

/** The zone of an identity of this node, by its slice; undefined: it is in none, in several, or there is no slice. For people: it compiles. */
export function zoneOf({ slices }: PolicyState, spiffeId: string): string | undefined {
  const slice = slices.get(spiffeId)
  if (slice === undefined) return undefined
  const { policy, members } = readSlice(slice.signed.content)
  const party = compile(policy, members).parties.of(spiffeId)
  return typeof party === 'string' ? undefined : party.zone?.id
}
