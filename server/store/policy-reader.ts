import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  matchesDecision,
  type DecisionCounts,
  type DecisionFacts,
  type DecisionFilter,
  type DecisionQuery,
  type StoredDecision,
  type StoredDecisionCounter,
} from './decision-rows.ts'
import { preparedBy, type Prepared } from './prepared.ts'
import type { FastLaneRow, LifecycleObject, PolicyRevisionRow, PolicySnapshot, PolicyStateRow } from './policy-rows.ts'
import { readState } from './store-state.ts'
import type { DocumentKind } from './writer-protocol.ts'

/** Rows that are looked at before others get a turn. */
const PORTION = 2_000

interface RecordRow {
  readonly position: number
  readonly id: string
  readonly agent: string
  readonly log_id: string
  readonly sequence: number
  readonly at: number
  readonly received_at: number
  readonly facts: string
  readonly content: string
}

interface CounterRow {
  readonly day: number
  readonly agent: string
  readonly key: string
  readonly count: number
  readonly first_at: number
  readonly last_at: number
  readonly facts: string
}

/** The reads of policy, lifecycle and decisions. */
export class PolicyReader {
  readonly #db: DatabaseSync
  // oxlint-disable-next-line no-unused-private-class-members -- it is used, as the tag of templates
  readonly #sql: Prepared

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#sql = preparedBy(db)
  }

  snapshot(): PolicySnapshot {
    // One moment for all reads: another connection commits meanwhile.
    this.#db.exec('BEGIN')
    try {
      const { revision } = readState(this.#db)
      const [policy] = this.#documents<PolicyRevisionRow>('policy', 'ORDER BY number DESC LIMIT 1')
      const [state] = this.#documents<PolicyStateRow>('policyState', 'LIMIT 1')
      const lifecycle = this.#documents<LifecycleObject>('lifecycle', 'ORDER BY key')
      const fastLane = this.#documents<FastLaneRow>('fastLane', 'ORDER BY number')
      return { revision, state, policy, lifecycle, fastLane }
    } finally {
      this.#db.exec('COMMIT')
    }
  }

  policyRevision(revision: number): PolicyRevisionRow | undefined {
    return this.#documents<PolicyRevisionRow>('policy', 'AND number = ?', revision)[0]
  }

  policyRevisions({
    before = Number.MAX_SAFE_INTEGER,
    limit,
  }: {
    before?: number
    limit: number
  }): PolicyRevisionRow[] {
    return this.#documents('policy', 'AND number < ? ORDER BY number DESC LIMIT ?', before, limit)
  }

  fastLane(after: number, limit: number): FastLaneRow[] {
    return this.#documents('fastLane', 'AND number > ? ORDER BY number LIMIT ?', after, limit)
  }

  #documents<T>(kind: DocumentKind, rest: string, ...values: SQLInputValue[]): T[] {
    const rows = this.#db.prepare(`SELECT body FROM documents WHERE kind = ? ${rest}`).all(kind, ...values)
    return (rows as unknown as readonly { body: string }[]).map(({ body }) => JSON.parse(body) as T)
  }

  async decisions(query: DecisionQuery): Promise<StoredDecision[]> {
    const found: StoredDecision[] = []
    let before = query.before ?? Number.MAX_SAFE_INTEGER
    while (found.length < query.limit) {
      const rows = this.#sql`SELECT * FROM decision_records WHERE position < ? AND position > ?
        ORDER BY position DESC LIMIT 2000`.all(before, query.after ?? 0) as unknown as readonly RecordRow[]
      for (const row of rows) {
        const decision = decisionOf(row)
        const span = { firstMs: decision.atMs, lastMs: decision.atMs }
        if (found.length < query.limit && matchesDecision(decision, query, span)) found.push(decision)
      }
      before = rows.at(-1)?.position ?? 0
      if (rows.length < PORTION) break
      await nextTurn()
    }
    return found
  }

  decision(id: string): StoredDecision | undefined {
    const row = this.#sql`SELECT * FROM decision_records WHERE id = ? ORDER BY position LIMIT 1`.get(id)
    return row === undefined ? undefined : decisionOf(row as unknown as RecordRow)
  }

  async *decisionCounters(filter: DecisionFilter): AsyncGenerator<StoredDecisionCounter> {
    let last: readonly [number, string, string] = [-1, '', '']
    for (;;) {
      const rows = this.#sql`SELECT * FROM decision_counters WHERE (day, agent, key) > (?, ?, ?)
        ORDER BY day, agent, key LIMIT 2000`.all(...last) as unknown as readonly CounterRow[]
      for (const row of rows) {
        const counter = counterOf(row)
        if (matchesDecision(counter, filter, counter)) yield counter
      }
      const end = rows.at(-1)
      if (end === undefined || rows.length < PORTION) return
      last = [end.day, end.agent, end.key]
      await nextTurn()
    }
  }

  decisionCounts(): DecisionCounts {
    const row = this.#sql`SELECT records.items AS records, counters.items AS counters,
      records.dropped AS droppedRecords, counters.dropped AS droppedCounters
      FROM decision_totals AS records, decision_totals AS counters
      WHERE records.kind = 'record' AND counters.kind = 'counter'`.get()
    return { ...(row as unknown as DecisionCounts) }
  }
}

const decisionOf = (row: RecordRow): StoredDecision => ({
  ...(JSON.parse(row.facts) as DecisionFacts),
  ...{ position: row.position, id: row.id, agent: row.agent, logId: row.log_id, sequence: row.sequence },
  ...{ atMs: row.at, receivedMs: row.received_at, content: row.content },
})

const counterOf = (row: CounterRow): StoredDecisionCounter => ({
  ...(JSON.parse(row.facts) as DecisionFacts),
  ...{ day: row.day, agent: row.agent, key: row.key, count: row.count, firstMs: row.first_at, lastMs: row.last_at },
})
