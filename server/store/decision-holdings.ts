import type { DatabaseSync } from 'node:sqlite'
import { COUNT_MAX } from './decision-rows.ts'
import { preparedBy, type Prepared } from './prepared.ts'

export type DecisionKind = 'record' | 'counter'

export interface Held {
  readonly bytes: number
  readonly items: number
}

/** Whoever holds most, and how many bytes the one after it holds. */
export interface Largest<T> {
  readonly who: T
  readonly bytes: number
  readonly nextBytes: number
}

interface HolderRow {
  readonly kind: DecisionKind
  readonly agent: string
  readonly items: number
}

const NOTHING: Held = { bytes: 0, items: 0 }

/** How much each workload and each agent holds of decisions, kept with every change, inside a transaction that somebody else opened. */
export class DecisionHoldings {
  // oxlint-disable-next-line no-unused-private-class-members -- it is used, as the tag of templates
  readonly #sql: Prepared

  constructor(db: DatabaseSync) {
    this.#sql = preparedBy(db)
  }

  /** The number by which rows name their holder. */
  holderOf(kind: DecisionKind, agent: string, workload: string): number {
    const known = this.#sql`SELECT number FROM decision_holders WHERE kind = ? AND agent = ? AND workload = ?`.get(
      ...[kind, agent, workload],
    )
    if (known !== undefined) return (known as { number: number }).number
    const { lastInsertRowid } = this.#sql`INSERT INTO decision_holders (kind, agent, workload, bytes, items)
      VALUES (?, ?, ?, 0, 0)`.run(kind, agent, workload)
    return Number(lastInsertRowid)
  }

  /** Enters what a holder got, or lost: negative numbers. One that holds nothing any more is forgotten. */
  change(holder: number, { bytes, items }: Held): void {
    const row = this.#sql`UPDATE decision_holders SET bytes = bytes + ?, items = items + ? WHERE number = ?
      RETURNING kind, agent, items`.get(bytes, items, holder) as HolderRow | undefined
    if (row === undefined) return
    const { kind, agent } = row
    if (row.items <= 0) this.#sql`DELETE FROM decision_holders WHERE number = ?`.run(holder)
    this.#sql`INSERT INTO decision_agents (kind, agent, bytes, items) VALUES (?, ?, ?, ?)
      ON CONFLICT (kind, agent) DO UPDATE SET bytes = bytes + excluded.bytes, items = items + excluded.items`.run(
      ...[kind, agent, bytes, items],
    )
    if (row.items <= 0)
      this.#sql`DELETE FROM decision_agents WHERE kind = ? AND agent = ? AND items <= 0`.run(kind, agent)
    this.#sql`UPDATE decision_totals SET bytes = bytes + ?, items = items + ? WHERE kind = ?`.run(bytes, items, kind)
  }

  /** Counts what went before its time. */
  drop(kind: DecisionKind, count: number): void {
    this.#sql`UPDATE decision_totals SET dropped = min(dropped + ?, ?) WHERE kind = ?`.run(count, COUNT_MAX, kind)
  }

  inAll(kind: DecisionKind): Held {
    const row = this.#sql`SELECT bytes, items FROM decision_totals WHERE kind = ?`.get(kind)
    return (row as Held | undefined) ?? NOTHING
  }

  ofAgent(kind: DecisionKind, agent: string): Held {
    const row = this.#sql`SELECT bytes, items FROM decision_agents WHERE kind = ? AND agent = ?`.get(kind, agent)
    return (row as Held | undefined) ?? NOTHING
  }

  largestAgent(kind: DecisionKind): Largest<string> | undefined {
    return largestOf(
      this.#sql`SELECT agent AS who, bytes FROM decision_agents WHERE kind = ? ORDER BY bytes DESC LIMIT 2`.all(kind),
    )
  }

  largestHolder(kind: DecisionKind, agent: string): Largest<number> | undefined {
    return largestOf(
      this.#sql`SELECT number AS who, bytes FROM decision_holders WHERE kind = ? AND agent = ?
        ORDER BY bytes DESC LIMIT 2`.all(kind, agent),
    )
  }
}

function largestOf<T>(rows: readonly unknown[]): Largest<T> | undefined {
  const [first, next] = rows as readonly { readonly who: T; readonly bytes: number }[]
  return first && { who: first.who, bytes: first.bytes, nextBytes: next?.bytes ?? 0 }
}
