import { covers, joins, type CompiledConduit } from '../conduit.ts'
import { conduitsBetween } from '../pair.ts'
import type { Party } from '../party.ts'
import type { CompiledService, Tables } from '../tables.ts'

/** The conduits that lead a source to a listener of a service, whether they are open or not. */
export function pathsTo(
  tables: Tables,
  party: Party,
  { party: destination, service }: CompiledService,
): CompiledConduit[] {
  return conduitsBetween(tables, party, destination).filter(
    (conduit) =>
      joins(conduit, party, destination) &&
      service.listeners.some(({ protocol, port }) => covers(conduit.conduit.allow, protocol, port)),
  )
}
