import type { IdentityClass } from './classes.ts'
import { jewelPaths, type JewelPath } from './jewel-paths.ts'
import type { ReachOptions } from './direct-reach.ts'
import { ReachGraph } from './reach.ts'
import type { Tables } from '../tables.ts'

/** How many identities reach a crown jewel, of all that were asked. */
export interface Exposure {
  readonly jewel: string
  readonly identities: number
  readonly percent: number
  /** The shortest way of all. */
  readonly shortest: JewelPath | undefined
}

/** A conduit on shortest ways, and how much exposure goes without it. */
export interface ChokePoint {
  readonly conduit: string
  /** Pairs of an identity and a crown jewel that it no longer reaches. */
  readonly relieved: number
}

/** So many conduits are tried at most: those on the most ways. */
const TRIED_MAX = 20

export function exposures(
  graph: ReachGraph,
  classes: readonly IdentityClass[],
  paths: readonly JewelPath[],
): Exposure[] {
  const sizes = sizesOf(classes)
  const all = [...sizes.values()].reduce((sum, size) => sum + size, 0)
  const jewels = [...graph.tables.services.keys()].filter((id) => graph.isCrownJewel(id))
  return jewels.map((jewel) => {
    const own = paths.filter((path) => path.jewel === jewel)
    const identities = own.reduce((sum, { from }) => sum + (sizes.get(from) ?? 1), 0)
    const [shortest] = own.toSorted((a, b) => a.way.length - b.way.length)
    return { jewel, identities, percent: all === 0 ? 0 : Math.round((100 * identities) / all), shortest }
  })
}

/** Conduits whose removal relieves most, by trying it. @see zones.md §4.2 */
export function chokePoints(
  tables: Tables,
  reach: ReachOptions,
  classes: readonly IdentityClass[],
  paths: readonly JewelPath[],
): ChokePoint[] {
  const sizes = sizesOf(classes)
  const total = (some: readonly JewelPath[]): number => some.reduce((sum, { from }) => sum + (sizes.get(from) ?? 1), 0)
  const onWays = Map.groupBy(
    paths.flatMap(({ way }) => way.flatMap(({ conduit }) => conduit ?? [])),
    (conduit) => conduit,
  )
  const tried = [...onWays].toSorted(([, a], [, b]) => b.length - a.length).slice(0, TRIED_MAX)
  const sources = classes.map(({ example }) => example)
  return tried
    .map(([conduit]): ChokePoint => {
      const without = { conduits: new Set([conduit]), observing: new Set<string>() }
      const left = jewelPaths(new ReachGraph(tables, { ...reach, without }), sources)
      return { conduit, relieved: total(paths) - total(left) }
    })
    .filter(({ relieved }) => relieved > 0)
    .sort((a, b) => b.relieved - a.relieved)
}

const sizesOf = (classes: readonly IdentityClass[]): Map<string, number> =>
  new Map(classes.map(({ example, ids }) => [example.id, ids.length]))
