import type { IdentityRow } from '../membership.ts'
import type { Party } from '../party.ts'
import type { Tables } from '../tables.ts'
import { cellKey, cellsOf, type Cell } from './cells.ts'
import { Classifier, classedParty, classedRow, type ClassedSource } from './classes.ts'
import type { ReachOptions } from './direct-reach.ts'
import { representatives } from './representatives.ts'

/** A policy and whom it places where. */
export interface PlacedTables {
  readonly tables: Tables
  readonly rows: readonly IdentityRow[]
}

/** What a change does to one action on one service for identities that both policies treat alike. */
export interface CellChange {
  /** `changed`: it depends on other terms than before, so some requests may be gained or lost. */
  readonly change: 'gained' | 'lost' | 'changed'
  readonly ids: readonly string[]
  readonly zone: string | null
  readonly service: string
  readonly action: string
  /** What opens it now; of a lost one what opened it. */
  readonly conduit: string | null
  readonly rule: string | null
}

/**
 * The cells that one policy has and the other has not, by class of sources. Registered identities are asked, and for each pattern
 * somebody whom nobody has registered yet.
 *
 * @see zones.md §4.6
 */
export function diffPolicies(before: PlacedTables, after: PlacedTables, options: ReachOptions): CellChange[] {
  return jointClasses(before, after).flatMap((ids) => {
    const [old, now] = [partyIn(before.tables, ids[0]), partyIn(after.tables, ids[0])]
    const had = cellsById(before.tables, old, options)
    const has = cellsById(after.tables, now, options)
    const changed = (change: CellChange['change'], cell: Cell): CellChange => {
      const zone = (change === 'lost' ? old : now)?.zone?.id ?? null
      const { service, action, conduit, rule } = cell
      return { change, ids, zone, service, action, conduit, rule }
    }
    const gained = [...has].flatMap(([key, cell]) => {
      const earlier = had.get(key)
      if (earlier === undefined) return [changed('gained', cell)]
      return earlier.terms === cell.terms ? [] : [changed('changed', cell)]
    })
    const lost = [...had].flatMap(([key, cell]) => (has.has(key) ? [] : [changed('lost', cell)]))
    return [...gained, ...lost]
  })
}

function partyIn({ parties }: Tables, id = ''): Party | undefined {
  const party = parties.of(id)
  return typeof party === 'string' ? undefined : party
}

const cellsById = (tables: Tables, party: Party | undefined, options: ReachOptions): Map<string, Cell> =>
  new Map(party === undefined ? [] : cellsOf(tables, party, options).map((cell) => [cellKey(cell), cell]))

/** Identities that both policies treat alike, by what each sees of them. */
function jointClasses(before: PlacedTables, after: PlacedTables): string[][] {
  const [old, now] = [new Sources(before), new Sources(after)]
  const ids = new Set([...before.rows, ...after.rows].map(({ spiffeId }) => spiffeId))
  for (const { tables } of [before, after]) for (const id of representatives(tables)) ids.add(id)
  const classes = new Map<string, string[]>()
  for (const id of ids) {
    const key = `${old.keyOf(id)}\n\n${now.keyOf(id)}`
    const found = classes.get(key)
    if (found === undefined) classes.set(key, [id])
    else found.push(id)
  }
  return [...classes.values()]
}

class Sources {
  readonly #tables: Tables
  readonly #classifier: Classifier
  readonly #rows: ReadonlyMap<string, IdentityRow>

  constructor({ tables, rows }: PlacedTables) {
    this.#tables = tables
    this.#classifier = new Classifier(tables)
    this.#rows = new Map(rows.map((row) => [row.spiffeId, row]))
  }

  keyOf(id: string): string {
    const source = this.#sourceOf(id)
    return source === undefined ? '-' : this.#classifier.keyOf(source)
  }

  #sourceOf(id: string): ClassedSource | undefined {
    const row = this.#rows.get(id)
    if (row !== undefined) return classedRow(row)
    const party = partyIn(this.#tables, id)
    return party === undefined ? undefined : classedParty(party)
  }
}
