import type { DatabaseSync, SQLInputValue } from 'node:sqlite'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { SallyportError } from '../../src/errors.ts'
import type { AuditQuery, StoredAuditRecord } from '../audit/record.ts'
import { openForReading, releasePages } from './connection.ts'
import { decodeLoggedChanges } from './decode-change.ts'
import { PolicyReader } from './policy-reader.ts'
import { preparedBy, type Prepared } from './prepared.ts'
import { AUDIT_RUN_RECORDS } from './schema.ts'
import { reasonOf, storeError } from './sqlite-error.ts'
import type { AuditPosition, JoinToken, Revision } from './store.ts'
import { readState, type StoreState } from './store-state.ts'
import { tokenOf, type StoredToken } from './stored-token.ts'

/** Records that one step of a walk through the audit journal looks at, and that any step returns, before others get a turn. */
const AUDIT_PORTION = 2_000
/** Records that one step with an index passes over: a hundred runs. Of these it reads the ones of the id or serial number asked for. */
const AUDIT_INDEXED_PORTION = 100 * AUDIT_RUN_RECORDS

/** One step: at most so many of the records behind `after`, up to and with `upTo`, in this order. */
interface AuditStep {
  readonly after: number
  readonly upTo: number
  readonly order: 'ASC' | 'DESC'
  readonly atMost: number
}

interface AuditRow {
  readonly sequence: number
  readonly at: number
  readonly type: string
  readonly facts: string
  readonly hash: Uint8Array
}

/** The reads of a running store, on a connection of their own: write-ahead logging lets them see the last commit, never wait for one. */
export class StoreReader implements Disposable {
  readonly policy: PolicyReader
  readonly #path: string
  readonly #db: DatabaseSync
  // oxlint-disable-next-line no-unused-private-class-members -- it is used, as the tag of templates
  readonly #sql: Prepared

  constructor(path: string) {
    this.#path = path
    this.#db = openForReading(path)
    this.#sql = preparedBy(this.#db)
    this.policy = new PolicyReader(this.#db)
  }

  state(): StoreState {
    return this.#reading(() => readState(this.#db))
  }

  /** At most `limit` revisions after `after`, or undefined when the first of them is pruned. */
  log(after: number, limit: number): readonly Revision[] | undefined {
    return this.#reading(() => {
      const rows = this.#sql`SELECT revision, changes FROM change_log WHERE revision > ? ORDER BY revision LIMIT ?`.all(
        after,
        limit,
      ) as unknown as readonly { revision: number; changes: string }[]
      if (rows[0]?.revision !== after + 1) return undefined
      return rows.map(({ revision, changes }) => ({ revision, changes: decodeLoggedChanges(changes) }))
    })
  }

  token(hash: string): JoinToken | undefined {
    return this.#reading(() => {
      const row = this.#sql`SELECT * FROM join_tokens WHERE hash = ?`.get(hash) as StoredToken | undefined
      return row === undefined ? undefined : tokenOf(row)
    })
  }

  auditStart(): AuditPosition {
    return this.state().auditStart
  }

  async *audit(query: AuditQuery, head: number): AsyncGenerator<StoredAuditRecord> {
    let left = query.limit ?? Infinity
    const portion = auditIndexOf(query) === undefined ? AUDIT_PORTION : AUDIT_INDEXED_PORTION
    let after = Math.max(query.afterSequence ?? 0, this.auditStart().sequence)
    if (query.newest === true) after = await this.#afterAllButNewest(query, { after, head, portion })
    while (left > 0 && after < head) {
      const upTo = Math.min(head, after + portion)
      const atMost = Math.min(left, AUDIT_PORTION)
      const rows = this.#auditRows(query, { after, upTo, order: 'ASC', atMost })
      for (const row of rows) yield recordOf(row)
      left -= rows.length
      after = rows.length === atMost ? (rows.at(-1)?.sequence ?? upTo) : upTo
      await nextTurn()
    }
  }

  /** The sequence behind which exactly the newest records are, found backwards in the same portions. */
  async #afterAllButNewest(
    query: AuditQuery,
    { after, head, portion }: { after: number; head: number; portion: number },
  ): Promise<number> {
    let left = query.limit ?? Infinity
    let upTo = head
    while (upTo > after) {
      const from = Math.max(after, upTo - portion)
      const atMost = Math.min(left, AUDIT_PORTION)
      const found = this.#auditRows(query, { after: from, upTo, order: 'DESC', atMost })
      const oldest = found[left - 1]
      if (oldest !== undefined) return oldest.sequence - 1
      left -= found.length
      upTo = found.length === atMost ? (found.at(-1)?.sequence ?? 0) - 1 : from
      await nextTurn()
    }
    return after
  }

  #auditRows(query: AuditQuery, { after, upTo, order, atMost }: AuditStep): readonly AuditRow[] {
    const index = auditIndexOf(query)
    const conditions: [string, SQLInputValue | undefined][] = [
      ['r.sequence > ?', after],
      ['r.sequence <= ?', upTo],
      ['r.spiffe_id = ?', query.spiffeId],
      ['r.serial_number = ?', query.serialNumber],
      ['r.type = ?', query.type],
      ['r.at >= ?', query.since?.getTime()],
      ['r.at <= ?', query.until?.getTime()],
    ]
    const asked = conditions.filter((condition): condition is [string, SQLInputValue] => condition[1] !== undefined)
    const where = asked.map(([text]) => text).join(' AND ')
    const values = asked.map(([, value]) => value)
    return this.#reading(() => {
      if (index === undefined) {
        const sql = `${AUDIT_ROWS} ${AUDIT_LINKS} WHERE ${where} ORDER BY r.sequence ${order} LIMIT ${atMost}`
        return this.#db.prepare(sql).all(...values) as unknown as readonly AuditRow[]
      }
      // Run by run, so that the order is that of the index: over all of them SQLite would sort whatever there is of an id.
      const inRun = this.#db.prepare(
        `${AUDIT_ROWS} INDEXED BY ${index} ${AUDIT_LINKS} WHERE r.sequence / ${AUDIT_RUN_RECORDS} = ? AND ${where}
        ORDER BY r.sequence ${order} LIMIT ?`,
      )
      const rows: AuditRow[] = []
      for (const run of auditRuns(after, upTo, order)) {
        rows.push(...(inRun.all(run, ...values, atMost - rows.length) as unknown as readonly AuditRow[]))
        if (rows.length === atMost) break
      }
      return rows
    })
  }

  releaseMemory(): void {
    this.#reading(() => releasePages(this.#db))
  }

  [Symbol.dispose](): void {
    this.#db.close()
  }

  #reading<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw readError(error, this.#path)
    }
  }
}

/** The index that finds the few records of a query; undefined when the journal has to be walked. */
function auditIndexOf({ spiffeId, serialNumber }: AuditQuery): string | undefined {
  if (serialNumber !== undefined) return 'audit_records_by_serial_number'
  return spiffeId === undefined ? undefined : 'audit_records_by_spiffe_id'
}

const AUDIT_ROWS = 'SELECT r.sequence, r.at, r.type, r.facts, l.hash FROM audit_records r'
const AUDIT_LINKS = 'LEFT JOIN audit_links l ON l.sequence = r.link'

/** The runs that the records of a step are in. */
function* auditRuns(after: number, upTo: number, order: 'ASC' | 'DESC'): Generator<number> {
  const [first, last] = [after + 1, upTo].map((sequence) => Math.floor(sequence / AUDIT_RUN_RECORDS)) as [
    number,
    number,
  ]
  if (order === 'ASC') for (let run = first; run <= last; run++) yield run
  else for (let run = last; run >= first; run--) yield run
}

/** What was written by us and cannot be read back was damaged, whichever parser noticed. */
export function readError(error: unknown, path: string): SallyportError {
  const isDamaged = error instanceof SyntaxError || error instanceof SallyportError || error instanceof TypeError
  if (!isDamaged) return storeError(error, path)
  return new SallyportError('STORE_CORRUPT', `Cannot read the database ${path}: ${reasonOf(error)}`, { cause: error })
}

// A record whose link is gone was torn from its chain; verification says so, reading must not fail.
const recordOf = ({ sequence, at, type, facts, hash }: AuditRow): StoredAuditRecord => ({
  sequence,
  at: new Date(at),
  type,
  facts,
  linkHash: Buffer.from(hash ?? []),
})
