import type { DatabaseSync } from 'node:sqlite'
import { DecisionHoldings, type Held } from './decision-holdings.ts'
import { DecisionPruner } from './decision-pruner.ts'
import {
  COUNT_MAX,
  decisionFields,
  type DecisionBatchRow,
  type DecisionFacts,
  type DecisionRoom,
} from './decision-rows.ts'
import { preparedBy, type Prepared } from './prepared.ts'

/** Logs of one agent whose place is remembered. */
export const LOGS_MAX_PER_AGENT = 1_000

/** Writes decision records and counters inside a transaction that somebody else opened. */
export class DecisionWriter {
  // oxlint-disable-next-line no-unused-private-class-members -- it is used, as the tag of templates
  readonly #sql: Prepared
  readonly #holdings: DecisionHoldings
  readonly #pruner: DecisionPruner

  constructor(db: DatabaseSync) {
    this.#sql = preparedBy(db)
    this.#holdings = new DecisionHoldings(db)
    this.#pruner = new DecisionPruner(db)
  }

  /** Adds a batch, once however often it comes: an agent that heard no answer sends it again. Then makes room for it. */
  add(batch: DecisionBatchRow, room: DecisionRoom): void {
    const { agent, logId } = batch
    const known = this.#sql`SELECT batch FROM decision_logs WHERE agent = ? AND log_id = ?`.get(agent, logId)
    if (known !== undefined && (known as { batch: number }).batch >= batch.batch) return
    if (known === undefined) this.#forgetLogs(agent)
    this.#sql`INSERT INTO decision_logs (agent, log_id, batch, at) VALUES (?, ?, ?, ?)
      ON CONFLICT (agent, log_id) DO UPDATE SET batch = excluded.batch, at = excluded.at`.run(
      ...[agent, logId, batch.batch, batch.receivedMs],
    )
    this.#holdings.drop('record', batch.droppedRecords)
    this.#holdings.drop('counter', batch.droppedCounters)
    this.#addRecords(batch)
    this.#addCounters(batch)
    this.#pruner.makeRoom(agent, room)
  }

  /** All but the newest of an agent: it begins one with each start, and will not go on with those. */
  #forgetLogs(agent: string): void {
    this.#sql`DELETE FROM decision_logs WHERE agent = ? AND log_id IN
      (SELECT log_id FROM decision_logs WHERE agent = ? ORDER BY at DESC LIMIT -1 OFFSET ?)`.run(
      ...[agent, agent, LOGS_MAX_PER_AGENT - 1],
    )
  }

  #addRecords({ agent, logId, receivedMs, records }: DecisionBatchRow): void {
    const insert = this.#sql`INSERT OR IGNORE INTO decision_records
      (id, agent, log_id, sequence, at, received_at, facts, content, holder) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      RETURNING bytes`
    for (const [workload, own] of Map.groupBy(records, (record) => record.workload)) {
      const holder = this.#holdings.holderOf('record', agent, workload)
      const added = own.map((record) => {
        const { id, sequence, atMs, content } = record
        return insert.get(id, agent, logId, sequence, atMs, receivedMs, factsText(record), content, holder)
      })
      this.#holdings.change(holder, heldIn(added))
    }
  }

  #addCounters({ agent, counters }: DecisionBatchRow): void {
    const update = this.#sql`UPDATE decision_counters SET count = min(count + ?, ?), first_at = min(first_at, ?),
      last_at = max(last_at, ?) WHERE day = ? AND agent = ? AND key = ?`
    const insert = this.#sql`INSERT INTO decision_counters (day, agent, key, count, first_at, last_at, facts, holder)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING bytes`
    for (const [workload, own] of Map.groupBy(counters, (counter) => counter.workload)) {
      const holder = this.#holdings.holderOf('counter', agent, workload)
      const added = own.map((counter) => {
        const { day, key, count, firstMs, lastMs } = counter
        if (update.run(count, COUNT_MAX, firstMs, lastMs, day, agent, key).changes > 0) return undefined
        return insert.get(day, agent, key, count, firstMs, lastMs, factsText(counter), holder)
      })
      this.#holdings.change(holder, heldIn(added))
    }
  }
}

/** @param added the sizes of rows that are new, and undefined for what was there */
function heldIn(added: readonly unknown[]): Held {
  const rows = added.filter((row): row is { readonly bytes: number } => row !== undefined)
  return { bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0), items: rows.length }
}

const factsText = (facts: DecisionFacts): string =>
  JSON.stringify(Object.fromEntries(decisionFields.map((field) => [field, facts[field]])))
