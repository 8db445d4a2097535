import type { DatabaseSync } from 'node:sqlite'
import { DecisionHoldings, type DecisionKind, type Held, type Largest } from './decision-holdings.ts'
import type { DecisionRoom } from './decision-rows.ts'
import { preparedBy, type Prepared } from './prepared.ts'
import type { EncodedDecisionLimits } from './writer-protocol.ts'

/** Decisions that go in one transaction of a clean-up: commits that wait behind it should not notice. */
const PRUNE_MAX_ROWS = 5_000
/** The most that go for one batch that came: more than the longest batch takes, also where what goes is small. */
const MAKE_ROOM_MAX_ROWS = 20_000
/** So far whoever holds most may be pressed below the next: one row of each in turn would cost a look for each row. */
const TURN_BYTES = 64 * 1024
const DAY_MS = 86_400_000

/** What is to go, and how much of it before others have their turn. */
interface Over extends Held {
  readonly turnBytes: number
}

interface RecordRow {
  readonly position: number
  readonly bytes: number
}

interface CounterRow {
  readonly day: number
  readonly agent: string
  readonly key: string
  readonly count: number
  readonly bytes: number
}

/** Removes decisions: old ones, and what is over the limits from whoever holds most. It looks at no more rows than it removes. */
export class DecisionPruner {
  readonly #db: DatabaseSync
  // oxlint-disable-next-line no-unused-private-class-members -- it is used, as the tag of templates
  readonly #sql: Prepared
  readonly #holdings: DecisionHoldings

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#sql = preparedBy(db)
    this.#holdings = new DecisionHoldings(db)
  }

  /** One portion in a transaction of its own; true when more are left to remove. */
  prune({ beforeMs, room }: EncodedDecisionLimits): boolean {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const old = [this.#pruneOldRecords(beforeMs), this.#pruneOldCounters(beforeMs)]
      this.#sql`DELETE FROM decision_logs WHERE at < ?`.run(beforeMs)
      const spare = (['record', 'counter'] as const).flatMap((kind) => [
        this.#makeRoomOfEach(kind, room, PRUNE_MAX_ROWS),
        this.#makeRoomInAll(kind, room, PRUNE_MAX_ROWS),
      ])
      this.#db.exec('COMMIT')
      return [...old, ...spare].some((rows) => rows >= PRUNE_MAX_ROWS)
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  /** Inside a transaction of somebody else, after a batch of this agent has come. */
  makeRoom(agent: string, room: DecisionRoom): void {
    for (const kind of ['record', 'counter'] as const) {
      const rows = this.#makeRoomOf(kind, agent, room, MAKE_ROOM_MAX_ROWS)
      this.#makeRoomInAll(kind, room, MAKE_ROOM_MAX_ROWS - rows)
    }
  }

  // Up to the first young row in order of arrival: a wall clock that jumped back leaves some for later.
  #pruneOldRecords(beforeMs: number): number {
    const oldest = this.#sql`SELECT position, received_at AS at, holder, bytes FROM decision_records
      ORDER BY position LIMIT 5000`.all() as unknown as readonly (RecordRow & { at: number; holder: number })[]
    const young = oldest.findIndex(({ at }) => at >= beforeMs)
    const old = young === -1 ? oldest : oldest.slice(0, young)
    const last = old.at(-1)
    if (last === undefined) return 0
    this.#sql`DELETE FROM decision_records WHERE position <= ?`.run(last.position)
    this.#leave(old)
    return old.length
  }

  // A counter of a later day was not last counted before.
  #pruneOldCounters(beforeMs: number): number {
    const old = this.#sql`DELETE FROM decision_counters WHERE (day, agent, key) IN (SELECT day, agent, key
      FROM decision_counters WHERE day <= ? AND last_at < ? ORDER BY day LIMIT 5000) RETURNING holder, bytes`.all(
      ...[Math.floor(beforeMs / DAY_MS), beforeMs],
    ) as unknown as readonly { holder: number; bytes: number }[]
    this.#leave(old)
    return old.length
  }

  #leave(rows: readonly { readonly holder: number; readonly bytes: number }[]): void {
    for (const [holder, own] of Map.groupBy(rows, (row) => row.holder)) {
      this.#holdings.change(holder, { bytes: -bytesOf(own), items: -own.length })
    }
  }

  /** For agents that report nothing any more, after the limit was lowered. */
  #makeRoomOfEach(kind: DecisionKind, room: DecisionRoom, maxRows: number): number {
    return upTo(maxRows, (rowsLeft) => {
      const largest = this.#holdings.largestAgent(kind)
      return largest === undefined ? 0 : this.#makeRoomOf(kind, largest.who, room, rowsLeft)
    })
  }

  /** @returns how many rows it removed */
  #makeRoomOf(kind: DecisionKind, agent: string, { maxBytesPerAgent }: DecisionRoom, maxRows: number): number {
    return upTo(maxRows, (rowsLeft) => {
      const bytes = this.#holdings.ofAgent(kind, agent).bytes - maxBytesPerAgent
      return bytes <= 0 ? 0 : this.#take(kind, agent, { bytes, items: 0, turnBytes: bytes }, rowsLeft)
    })
  }

  /** @returns how many rows it removed */
  #makeRoomInAll(kind: DecisionKind, room: DecisionRoom, maxRows: number): number {
    const maxItems = kind === 'record' ? room.maxRecords : room.maxCounters
    return upTo(maxRows, (rowsLeft) => {
      const held = this.#holdings.inAll(kind)
      const over = { bytes: held.bytes - room.maxBytes, items: held.items - maxItems }
      if (over.bytes <= 0 && over.items <= 0) return 0
      const largest = this.#holdings.largestAgent(kind)
      return largest === undefined
        ? 0
        : this.#take(kind, largest.who, { ...over, turnBytes: turnOf(largest) }, rowsLeft)
    })
  }

  /** Takes the oldest of the workload that holds most at this agent; returns how many rows that were. */
  #take(kind: DecisionKind, agent: string, over: Over, maxRows: number): number {
    const largest = this.#holdings.largestHolder(kind, agent)
    if (largest === undefined) return 0
    const wanted = { ...over, turnBytes: Math.min(over.turnBytes, turnOf(largest)) }
    const choose = <T extends { readonly bytes: number }>(rows: Iterable<T>) => enoughOf(rows, wanted, maxRows)
    const gone = kind === 'record' ? this.#dropRecords(largest.who, choose) : this.#dropCounters(largest.who, choose)
    this.#holdings.change(largest.who, { bytes: -bytesOf(gone), items: -gone.length })
    return gone.length
  }

  #dropRecords(holder: number, choose: (rows: Iterable<RecordRow>) => readonly RecordRow[]): readonly RecordRow[] {
    const oldest = this.#sql`SELECT position, bytes FROM decision_records WHERE holder = ? ORDER BY position`
    const gone = choose(oldest.iterate(holder) as Iterable<unknown> as Iterable<RecordRow>)
    const last = gone.at(-1)?.position ?? 0
    this.#sql`DELETE FROM decision_records WHERE holder = ? AND position <= ?`.run(holder, last)
    this.#holdings.drop('record', gone.length)
    return gone
  }

  /** What they counted is counted as dropped, so that the sum of both stays. */
  #dropCounters(holder: number, choose: (rows: Iterable<CounterRow>) => readonly CounterRow[]): readonly CounterRow[] {
    const oldest = this.#sql`SELECT day, agent, key, count, bytes FROM decision_counters WHERE holder = ? ORDER BY day`
    const gone = choose(oldest.iterate(holder) as Iterable<unknown> as Iterable<CounterRow>)
    const remove = this.#sql`DELETE FROM decision_counters WHERE day = ? AND agent = ? AND key = ?`
    for (const { day, agent, key, count } of gone) {
      remove.run(day, agent, key)
      this.#holdings.drop('counter', count)
    }
    return gone
  }
}

/** Removes portions until none is needed any more, or so many rows are gone; returns how many. */
function upTo(maxRows: number, portion: (rowsLeft: number) => number): number {
  let rows = 0
  while (rows < maxRows) {
    const gone = portion(maxRows - rows)
    if (gone === 0) break
    rows += gone
  }
  return rows
}

const turnOf = ({ bytes, nextBytes }: Largest<unknown>): number => bytes - nextBytes + TURN_BYTES

/** The first rows that are enough, or as many as may go before others have their turn; one at least. */
function enoughOf<T extends { readonly bytes: number }>(rows: Iterable<T>, over: Over, maxRows: number): readonly T[] {
  const chosen: T[] = []
  let bytes = 0
  for (const row of rows) {
    chosen.push(row)
    bytes += row.bytes
    const isEnough = bytes >= over.bytes && chosen.length >= over.items
    if (isEnough || bytes >= over.turnBytes || chosen.length >= maxRows) break
  }
  return chosen
}

const bytesOf = (rows: readonly { readonly bytes: number }[]): number => rows.reduce((sum, { bytes }) => sum + bytes, 0)
