import type { DatabaseSync } from 'node:sqlite'
import { decisionFields, type DecisionBatchRow, type DecisionFacts } from './decision-rows.ts'
import { preparedBy, type Prepared } from './prepared.ts'
import type { EncodedDecisionLimits } from './writer-protocol.ts'

/** Decisions that go in one transaction of a clean-up: commits that wait behind it should not notice. */
const PRUNE_MAX_ROWS = 5_000

/** Where counts stop, 2^53 - 1: whatever workloads say, what is stored can be read. */
const MOST = Number.MAX_SAFE_INTEGER

/** Writes decision records and counters inside a transaction that somebody else opened. */
export class DecisionWriter {
  // oxlint-disable-next-line no-unused-private-class-members -- it is used, as the tag of templates
  readonly #sql: Prepared

  constructor(db: DatabaseSync) {
    this.#sql = preparedBy(db)
  }

  /** Adds a batch, once however often it comes: an agent that heard no answer sends it again. */
  add(batch: DecisionBatchRow): void {
    const { agent, logId } = batch
    const known = this.#sql`SELECT batch FROM decision_logs WHERE agent = ? AND log_id = ?`.get(agent, logId)
    if (known !== undefined && (known as { batch: number }).batch >= batch.batch) return
    this.#sql`INSERT INTO decision_logs (agent, log_id, batch, at, dropped_records, dropped_counters)
      VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (agent, log_id) DO UPDATE SET batch = excluded.batch, at = excluded.at,
      dropped_records = min(dropped_records + excluded.dropped_records, ?),
      dropped_counters = min(dropped_counters + excluded.dropped_counters, ?)`.run(
      agent,
      logId,
      batch.batch,
      batch.receivedMs,
      batch.droppedRecords,
      batch.droppedCounters,
      ...[MOST, MOST],
    )
    this.#addRecords(batch)
    this.#addCounters(batch)
  }

  #addRecords({ agent, logId, receivedMs, records }: DecisionBatchRow): void {
    const insert = this
      .#sql`INSERT OR IGNORE INTO decision_records (id, agent, log_id, sequence, at, received_at, facts, content)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
    for (const record of records) {
      const { id, sequence, atMs, content } = record
      insert.run(id, agent, logId, sequence, atMs, receivedMs, factsText(record), content)
    }
  }

  #addCounters({ agent, counters }: DecisionBatchRow): void {
    const upsert = this.#sql`INSERT INTO decision_counters (day, agent, key, count, first_at, last_at, facts)
      VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (day, agent, key) DO UPDATE SET count = min(count + excluded.count, ?),
      first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)`
    for (const counter of counters) {
      const { day, key, count, firstMs, lastMs } = counter
      upsert.run(day, agent, key, count, firstMs, lastMs, factsText(counter), MOST)
    }
  }
}

const factsText = (facts: DecisionFacts): string =>
  JSON.stringify(Object.fromEntries(decisionFields.map((field) => [field, facts[field]])))

/** Removes the oldest decisions; true when more are left to remove. */
export function pruneDecisions(
  db: DatabaseSync,
  { beforeMs, maxRecords, maxCounters }: EncodedDecisionLimits,
): boolean {
  const rowsOf = (sql: string, ...values: number[]): number => Number(db.prepare(sql).run(...values).changes)
  const oldRecords = rowsOf(
    `DELETE FROM decision_records WHERE position IN (SELECT position FROM decision_records
      WHERE received_at < ? ORDER BY position LIMIT ${PRUNE_MAX_ROWS})`,
    beforeMs,
  )
  const spareRecords = rowsOf(
    `DELETE FROM decision_records WHERE position IN (SELECT position FROM decision_records ORDER BY position
      LIMIT min(${PRUNE_MAX_ROWS}, max(0, (SELECT count(*) FROM decision_records) - ?)))`,
    maxRecords,
  )
  const oldCounters = rowsOf(
    `DELETE FROM decision_counters WHERE (day, agent, key) IN (SELECT day, agent, key FROM decision_counters
      WHERE last_at < ? ORDER BY day LIMIT ${PRUNE_MAX_ROWS})`,
    beforeMs,
  )
  const spareCounters = rowsOf(
    `DELETE FROM decision_counters WHERE (day, agent, key) IN (SELECT day, agent, key FROM decision_counters ORDER BY day
      LIMIT min(${PRUNE_MAX_ROWS}, max(0, (SELECT count(*) FROM decision_counters) - ?)))`,
    maxCounters,
  )
  rowsOf('DELETE FROM decision_logs WHERE at < ?', beforeMs)
  return [oldRecords, spareRecords, oldCounters, spareCounters].includes(PRUNE_MAX_ROWS)
}
