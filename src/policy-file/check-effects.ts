import type { Place } from '../config/yaml-source.ts'
import { meanOutDegree } from '../policy/analysis/blast-radius.ts'
import { ReachGraph } from '../policy/analysis/reach.ts'
import { gapsOfPolicy } from '../policy/analysis/zone-levels.ts'
import { compile } from '../policy/compile.ts'
import type { SliceIndex } from '../policy/slice-index.ts'
import type { Tables } from '../policy/tables.ts'
import { checkSlices } from './check-slices.ts'
import type { Finding } from './finding.ts'
import { findingOf, type Found } from './found.ts'

/** Above it most services lead to most others. @see zones.md §4.1 "Percolation" */
const OUT_DEGREE_MAX = 1

export interface EffectOptions {
  /** Milliseconds since 1970; undefined: what has passed counts as well. */
  readonly now?: number
  readonly placeOf?: ((path: readonly PropertyKey[]) => Place | undefined) | undefined
}

/**
 * What a policy without errors comes to, where that deserves a look: how far its services lead, the levels that its zones miss by what
 * is written, and whether everybody's part of it is short enough to be sent. All are warnings.
 *
 * @param index of the policy and everybody who is registered
 * @see zones.md §3.12, §3.19
 */
export function checkEffects(index: SliceIndex, { now = 0, placeOf = () => undefined }: EffectOptions = {}): Finding[] {
  const { set } = index
  const rows = set.services.flatMap(({ identity }) => index.rowOf(`spiffe://${set.trustDomain}${identity}`) ?? [])
  const tables = compile(set, rows)
  const found = [...checkLevels(tables), ...checkOutDegree(tables, now), ...checkSlices(index)]
  return found.map((one) => findingOf(one, placeOf))
}

function* checkLevels(tables: Tables): Generator<Found> {
  for (const [at, { id }] of tables.set.zones.entries())
    for (const { requirement, target, achieved, next } of gapsOfPolicy(tables, id))
      yield {
        code: 'LEVEL_BELOW_TARGET',
        path: ['zones', at, 'target'],
        message: `zone ${id} has target ${target}, and by this policy ${requirement} reaches ${achieved}: it needs ${next}`,
      }
}

function* checkOutDegree(tables: Tables, now: number): Generator<Found> {
  const degree = meanOutDegree(new ReachGraph(tables, { moment: { from: now }, variant: 'intended' }))
  if (degree > OUT_DEGREE_MAX)
    yield {
      code: 'OUT_DEGREE_HIGH',
      path: ['services'],
      message: `a service can act as ${degree.toFixed(1)} others on average`,
    }
}
