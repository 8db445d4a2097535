import { closedBecause, nextTurn, type CompiledConduit } from './conduit.ts'
import type { Party } from './party.ts'
import type { Tables } from './tables.ts'

/**
 * The conduits by which an identity may have a JWT-SVID for this audience, if one of them is open. An audience that a zone of
 * target 0 owns is a destination; about others the gate says nothing, and the answer is undefined.
 *
 * @see zones.md §3.5 "Issuance gate", ZO-42
 */
export function conduitsForAudience(
  tables: Tables,
  caller: Party,
  audience: string,
): readonly CompiledConduit[] | undefined {
  const owners = tables.audienceZones.get(audience)
  const from = caller.zone === undefined ? undefined : tables.conduits.get(caller.zone.id)
  return owners
    ?.flatMap((zone) => from?.get(zone) ?? [])
    .filter(({ from: identities }) => identities === undefined || identities.has(caller))
}

/** @param changesAt is told when the answer may change by itself */
export function mayNameAudience(
  tables: Tables,
  caller: Party,
  audience: string,
  now: number,
  changesAt: (instant: number) => void,
): boolean {
  const conduits = conduitsForAudience(tables, caller, audience)
  for (const conduit of conduits ?? []) changesAt(nextTurn(conduit, now))
  return conduits?.some((conduit) => closedBecause(conduit, now) === null) ?? true
}

/** The same for the server, before it issues: an id that the policy cannot place may have no owned audience. */
export function mayIssueAudience(tables: Tables, spiffeId: string, audience: string, now: number): boolean {
  const caller = tables.parties.of(spiffeId)
  if (typeof caller === 'string') return !tables.audienceZones.has(audience)
  return mayNameAudience(tables, caller, audience, now, () => undefined)
}
