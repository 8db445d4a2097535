import type { DatabaseSync } from 'node:sqlite'
import { linkHash, type ChainedRecord } from './audit-chain.ts'
import { MutationWriter, type WrittenChange } from './mutation-writer.ts'
import { reasonOf, storeCodeOf } from './sqlite-error.ts'
import { preparedBy, type Prepared } from './prepared.ts'
import type { EncodedEvent, EncodedOutcome, EncodedTransaction, WriterReply, WriterRequest } from './writer-protocol.ts'

type WriteRequest = Extract<WriterRequest, { kind: 'write' }>
type Written = Extract<WriterReply, { kind: 'written' }>

interface State {
  readonly revision: number
  readonly audit_sequence: number
  readonly audit_hash: Uint8Array
}

/** Writes groups of transactions: one durable SQLite transaction per group, one savepoint per transaction in it. */
export class GroupWriter {
  readonly #db: DatabaseSync
  readonly #mutations: MutationWriter
  // oxlint-disable-next-line no-unused-private-class-members -- it is used, as the tag of templates
  readonly #sql: Prepared

  constructor(db: DatabaseSync) {
    this.#db = db
    this.#mutations = new MutationWriter(db)
    this.#sql = preparedBy(db)
  }

  /** @throws what SQLite throws when the group as a whole could not be made durable */
  write({ group, nowMs, transactions }: WriteRequest): Written {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const state = this.#sql`SELECT revision, audit_sequence, audit_hash FROM state`.get() as unknown as State
      const outcomes: EncodedOutcome[] = []
      const changes: (readonly WrittenChange[])[] = []
      const events: EncodedEvent[] = []
      let revision = state.revision
      for (const transaction of transactions) {
        const result = this.#tryTransaction(transaction, revision + 1, nowMs)
        if (Array.isArray(result)) {
          if (result.length > 0) revision++
          events.push(...transaction.audit)
          outcomes.push(revision)
          changes.push(result as readonly WrittenChange[])
        } else {
          outcomes.push(result as EncodedOutcome)
          changes.push([])
        }
      }
      const auditHead = this.#chain(state, events)
      this
        .#sql`UPDATE state SET revision = ?, last_group = ?, last_outcomes = ?, audit_sequence = ?, audit_hash = ?`.run(
        revision,
        group,
        JSON.stringify(outcomes),
        auditHead.sequence,
        auditHead.hash,
      )
      this.#db.exec('COMMIT')
      return { kind: 'written', outcomes, changes: changes.map((list) => list.map(withoutAfter)), auditHead }
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  /** Its changes, or why it left no trace. */
  #tryTransaction(transaction: EncodedTransaction, revision: number, nowMs: number): WrittenChange[] | EncodedOutcome {
    if (transaction.mutations.length === 0) return []
    this.#sql`SAVEPOINT one`.run()
    try {
      const result = this.#mutations.writeAll(transaction.mutations)
      if (!Array.isArray(result)) {
        this.#undo()
        return result
      }
      if (result.length > 0) {
        const log = `[${result.map(loggedText).join(',')}]`
        this.#sql`INSERT INTO change_log (revision, at, changes) VALUES (?, ?, ?)`.run(revision, nowMs, log)
      }
      this.#sql`RELEASE one`.run()
      return result
    } catch (error) {
      // A full disk, a damaged file and the like concern the whole group, and SQLite may have ended its transaction.
      if (!this.#db.isTransaction || storeCodeOf(error) !== 'STORE_FAILED') throw error
      this.#undo()
      return { failed: reasonOf(error) }
    }
  }

  #undo(): void {
    this.#sql`ROLLBACK TO one`.run()
    this.#sql`RELEASE one`.run()
  }

  /** Adds one link for all events of the group. */
  #chain(state: State, events: readonly EncodedEvent[]): { readonly sequence: number; readonly hash: Uint8Array } {
    if (events.length === 0) return { sequence: state.audit_sequence, hash: state.audit_hash }
    const first = state.audit_sequence + 1
    const records: ChainedRecord[] = []
    const last = state.audit_sequence + events.length
    let youngest = 0
    for (const [index, { type, atMs, facts, spiffeId, serialNumber }] of events.entries()) {
      const sequence = first + index
      records.push({ sequence, atMs, type, facts })
      if (index === 0 || atMs > youngest) youngest = atMs
      this.#sql`INSERT INTO audit_records (sequence, at, type, spiffe_id, serial_number, facts, link)
        VALUES (?, ?, ?, ?, ?, ?, ?)`.run(sequence, atMs, type, spiffeId, serialNumber, facts, last)
    }
    const hash = linkHash(state.audit_hash, records)
    this.#sql`INSERT INTO audit_links (sequence, first_sequence, at, hash) VALUES (?, ?, ?, ?)`.run(
      last,
      first,
      youngest,
      hash,
    )
    return { sequence: last, hash }
  }
}

// The bodies are JSON already: put together as text, because parsing them only to print them again would cost the most here.
const loggedText = ({ kind, key, before, after }: WrittenChange): string =>
  `[${JSON.stringify(kind)},${JSON.stringify(key)},${before ?? 'null'},${after ?? 'null'}]`

const withoutAfter = ({ mutation, kind, key, before }: WrittenChange) => ({ mutation, kind, key, before })
