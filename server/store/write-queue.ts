import { SallyportError } from '../../src/errors.ts'
import type { Outcome, Transaction } from './store.ts'
import { encodeTransaction, sizeOf } from './encode-transaction.ts'
import type { EncodedTransaction } from './writer-protocol.ts'

/** Transactions that share one flush of the disk. */
export const GROUP_MAX_TRANSACTIONS = 256
/** What may wait for the disk before callers are turned away. */
export const QUEUE_MAX_TRANSACTIONS = 20_000
export const QUEUE_MAX_BYTES = 64 * 1024 * 1024
/** Of these, what agents report of decisions: however much that is, changes and the records of what is issued find room. */
export const QUEUE_MAX_DECISION_BYTES = 16 * 1024 * 1024

export interface QueueLimits {
  readonly groupTransactions: number
  readonly queueTransactions: number
  readonly queueBytes: number
  readonly queueDecisionBytes: number
}

/** A transaction that waits, and the call it came with. */
export interface Waiting {
  readonly transaction: Transaction
  readonly encoded: EncodedTransaction
  readonly bytes: number
  /** It tells what agents report of decisions, which may wait for better times. */
  readonly isReport: boolean
  /** Settles its place in the call; the call ends with its last place. */
  settle(outcome: Outcome): void
  fail(error: SallyportError): void
}

/** Brings calls together into groups: what arrives while one group is written makes the next. */
export class WriteQueue {
  readonly #limits: QueueLimits
  readonly #write: (group: readonly Waiting[]) => Promise<void>
  #waiting: Waiting[] = []
  #chores: (() => Promise<void>)[] = []
  #transactions = 0
  #bytes = 0
  #decisionBytes = 0
  #draining: Promise<void> | undefined

  /** `write` settles or fails everything that it is given, and does not throw. */
  constructor(limits: QueueLimits, write: (group: readonly Waiting[]) => Promise<void>) {
    this.#limits = limits
    this.#write = write
  }

  /**
   * Resolves when all are durable.
   *
   * @throws {@link SallyportError} `STORE_BUSY` when they do not fit; none of them waits then
   */
  async add(transactions: readonly Transaction[]): Promise<readonly Outcome[]> {
    if (transactions.length === 0) return []
    const encoded = transactions.map(encodeTransaction)
    const sizes = encoded.map(sizeOf)
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    const isReport = transactions.some(({ mutations }) => mutations.some(({ kind }) => kind === 'decisions.add'))
    this.#checkRoom(transactions.length, bytes, isReport)
    const done = Promise.withResolvers<readonly Outcome[]>()
    const outcomes: Outcome[] = []
    let open = transactions.length
    for (const [index, transaction] of transactions.entries()) {
      this.#waiting.push({
        transaction,
        encoded: encoded[index] as EncodedTransaction,
        bytes: sizes[index] ?? 0,
        isReport,
        settle(outcome) {
          outcomes[index] = outcome
          if (--open === 0) done.resolve(outcomes)
        },
        fail: done.reject,
      })
    }
    this.#transactions += transactions.length
    this.#bytes += bytes
    if (isReport) this.#decisionBytes += bytes
    this.#start()
    return await done.promise
  }

  /** Runs something between two groups. */
  async between<T>(chore: () => Promise<T>): Promise<T> {
    const done = Promise.withResolvers<T>()
    this.#chores.push(() => chore().then(done.resolve, done.reject))
    this.#start()
    return await done.promise
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#draining !== undefined) await this.#draining
  }

  #checkRoom(transactions: number, bytes: number, isReport: boolean): void {
    const { queueTransactions, queueBytes, queueDecisionBytes } = this.#limits
    if (isReport && this.#decisionBytes > 0 && this.#decisionBytes + bytes > queueDecisionBytes) {
      throw new SallyportError('STORE_BUSY', 'Cannot take more decisions: others wait for the database')
    }
    // One call alone is always let in: it was held to the limit of a request, and refusing it would refuse it for ever.
    const isFull = this.#transactions + transactions > queueTransactions || this.#bytes + bytes > queueBytes
    if (!isFull || this.#transactions === 0) return
    throw new SallyportError('STORE_BUSY', `Cannot take more changes: ${this.#transactions} wait for the database`)
  }

  #start(): void {
    this.#draining ??= this.#drain()
  }

  async #drain(): Promise<void> {
    // A turn of the microtasks, so that calls made together share the first group too.
    await Promise.resolve()
    while (this.#waiting.length > 0 || this.#chores.length > 0) {
      const group = this.#waiting.splice(0, this.#limits.groupTransactions)
      if (group.length > 0) {
        await this.#write(group)
        this.#transactions -= group.length
        for (const { bytes, isReport } of group) {
          this.#bytes -= bytes
          if (isReport) this.#decisionBytes -= bytes
        }
      }
      await this.#chores.shift()?.()
    }
    this.#draining = undefined
  }
}
