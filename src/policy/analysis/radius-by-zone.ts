import type { IdentityRow } from '../membership.ts'
import { BlastRadii } from './blast-radius.ts'
import { ReachGraph } from './reach.ts'
import type { ReachOptions } from './direct-reach.ts'
import type { Tables } from '../tables.ts'

/** How far the widest identity of a zone gets, and how far they get on average. */
export interface ZoneRadius {
  readonly zone: string
  readonly identities: number
  readonly meanServices: number
  readonly maxServices: number
  readonly maxCrownJewels: number
}

/** The blast radius of the registered identities, zone by zone. */
export function radiusByZone(tables: Tables, rows: Iterable<IdentityRow>, options: ReachOptions): ZoneRadius[] {
  const classes = new BlastRadii(new ReachGraph(tables, options)).ofAll(rows)
  const zones = Map.groupBy(classes, ({ members }) => members.example.zone?.id ?? '')
  return [...zones].map(([zone, own]): ZoneRadius => {
    const identities = own.reduce((sum, { members }) => sum + members.ids.length, 0)
    const services = own.reduce((sum, { members, services }) => sum + services * members.ids.length, 0)
    return {
      zone,
      identities,
      meanServices: services / identities,
      maxServices: own.reduce((most, one) => Math.max(most, one.services), 0),
      maxCrownJewels: own.reduce((most, { crownJewels }) => Math.max(most, crownJewels), 0),
    }
  })
}
