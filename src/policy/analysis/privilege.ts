import type { IdentityRow } from '../membership.ts'
import type { Tables } from '../tables.ts'
import { weightOf } from './blast-radius.ts'
import { cellsOf, type Cell } from './cells.ts'
import { classesOf } from './classes.ts'
import type { ReachOptions } from './direct-reach.ts'
import type { Observation } from './observed.ts'

/** How much more identities of one class may do than they do. */
export interface Privilege {
  readonly ids: readonly string[]
  readonly zone: string | null
  /** What they may do, by service and action. */
  readonly granted: readonly Cell[]
  readonly unused: readonly Cell[]
  /** Unused weight: 2 to the power of the target, twice for administration. Small ids with one unused right stay small. */
  readonly excess: number
  /** The same in percent of all that is granted. */
  readonly excessPercent: number
  /** Rights that neither end nor have a window, of all. */
  readonly standingPercent: number
}

/** Of a zone: the mean of its identities, and the share of rights that stand. */
export interface ZonePrivilege {
  readonly zone: string
  readonly identities: number
  readonly meanExcess: number
  readonly standingPercent: number
}

/** The over-privilege of every class that may do anything, the widest first. @see zones.md §4.4 */
export function privileges(
  tables: Tables,
  rows: Iterable<IdentityRow>,
  observations: Iterable<Observation>,
  options: ReachOptions,
): Privilege[] {
  const used = new Set<string>()
  for (const { source, service, action, decision } of observations)
    if (decision === 'allow') used.add(`${source}\n${service}\n${action ?? ''}`)
  const administers = administration(tables)
  const weigh = (cells: readonly Cell[]): number =>
    cells.reduce((sum, cell) => {
      const target = tables.services.get(cell.service)?.party.zone?.target
      return sum + weightOf(target) * (administers(cell) ? 2 : 1)
    }, 0)
  return classesOf(tables, rows)
    .flatMap(({ example, ids }): Privilege | [] => {
      const granted = cellsOf(tables, example, options)
      if (granted.length === 0) return []
      const isUsed = ({ service, action }: Cell): boolean => ids.some((id) => used.has(`${id}\n${service}\n${action}`))
      const unused = granted.filter((cell) => !isUsed(cell))
      const standing = granted.filter(({ terms }) => !/^(?:conduit|rule) (?:from \d+ )?(?:until|window) /m.test(terms))
      return {
        ids,
        zone: example.zone?.id ?? null,
        granted,
        unused,
        excess: weigh(unused),
        excessPercent: Math.round((100 * weigh(unused)) / weigh(granted)),
        standingPercent: Math.round((100 * standing.length) / granted.length),
      }
    })
    .sort((a, b) => b.excess - a.excess)
}

/** Administration: actions in zones that administer, and those that a guard keeps for such zones. */
export function administration({
  accessGuards,
  services,
}: Tables): (cell: Pick<Cell, 'service' | 'action'>) => boolean {
  const kept = accessGuards.filter(({ guard: { from } }) => from.notAdmin !== undefined || from.admin !== undefined)
  return ({ service, action }) => {
    const zone = services.get(service)?.party.zone
    return (
      (zone !== undefined && zone.admin !== 'none') ||
      kept.some(({ guard: { to }, actions }) => (to.service ?? service) === service && actions?.has(action) === true)
    )
  }
}

export function zonePrivileges(found: readonly Privilege[]): ZonePrivilege[] {
  return [...Map.groupBy(found, ({ zone }) => zone ?? '')].map(([zone, own]) => {
    const identities = own.reduce((sum, { ids }) => sum + ids.length, 0)
    const mean = (of: (one: Privilege) => number): number =>
      Math.round(own.reduce((sum, one) => sum + of(one) * one.ids.length, 0) / identities)
    return {
      zone,
      identities,
      meanExcess: mean(({ excess }) => excess),
      standingPercent: mean(({ standingPercent }) => standingPercent),
    }
  })
}
