import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { AuditQuery, StoredAuditRecord } from '../audit/record.ts'
import { decodeChange, decodeConflict } from './decode-change.ts'
import type {
  DecisionCounts,
  DecisionFilter,
  DecisionQuery,
  DecisionRoom,
  StoredDecision,
  StoredDecisionCounter,
} from './decision-rows.ts'
import type { PolicyReader } from './policy-reader.ts'
import type { FastLaneRow, PolicyRevisionRow, PolicySnapshot } from './policy-rows.ts'
import { readSnapshot } from './read-snapshot.ts'
import { RevisionFeed } from './revision-feed.ts'
import type {
  AuditPosition,
  Change,
  JoinToken,
  Outcome,
  PruneLimits,
  Revision,
  Store,
  StoreSnapshot,
  Transaction,
} from './store.ts'
import { readError, type StoreReader } from './store-reader.ts'
import { WriteQueue, type QueueLimits, type Waiting } from './write-queue.ts'
import type { EncodedChange, EncodedOutcome } from './writer-protocol.ts'
import type { WriterAnswer, WriterThread } from './writer-thread.ts'

/** A follower that is further behind takes a snapshot: reading more of the log would take longer. */
const CHANGES_MAX_REVISIONS = 20_000
/** A group that takes longer than this is worth a line in the log. */
const SLOW_COMMIT_MS = 2_000

interface Parts {
  readonly path: string
  readonly clock: Clock
  readonly log: Log
  readonly limits: QueueLimits
  readonly reader: StoreReader
  readonly writer: WriterThread
  /** Closed with the store, after its queue is empty. */
  readonly parts: AsyncDisposable
}

/** The store on SQLite: a queue and a writer thread for changes, a connection for reads, a feed for followers. */
export class SqliteStore implements Store {
  readonly epoch: string
  readonly #parts: Parts
  readonly #queue: WriteQueue
  readonly #feed: RevisionFeed
  #auditHead: AuditPosition
  #lastGroup: number
  #closing: Promise<void> | undefined

  constructor(parts: Parts) {
    const state = parts.reader.state()
    this.#parts = parts
    this.epoch = state.epoch
    this.#auditHead = state.auditHead
    this.#lastGroup = state.lastGroup
    this.#queue = new WriteQueue(parts.limits, (group) => this.#write(group))
    this.#feed = new RevisionFeed(state.revision, (after, limit) => parts.reader.log(after, limit))
  }

  async commitAll(transactions: readonly Transaction[]): Promise<readonly Outcome[]> {
    this.#checkOpen()
    return await this.#queue.add(transactions)
  }

  async commit(transaction: Transaction): Promise<Outcome> {
    const [outcome] = await this.commitAll([transaction])
    if (outcome === undefined) throw new TypeError('a commit without an outcome')
    return outcome
  }

  async snapshot(): Promise<StoreSnapshot> {
    this.#checkOpen()
    return await readSnapshot(this.#parts.path)
  }

  watch(after: number, signal: AbortSignal): AsyncIterable<readonly Revision[]> {
    return this.#feed.watch(after, signal)
  }

  async changesSince(after: number): Promise<readonly Revision[] | undefined> {
    this.#checkOpen()
    if (this.#feed.latest - after > CHANGES_MAX_REVISIONS) return undefined
    return this.#feed.since(after, CHANGES_MAX_REVISIONS)
  }

  async token(hash: string): Promise<JoinToken | undefined> {
    this.#checkOpen()
    return this.#parts.reader.token(hash)
  }

  async *audit(query: AuditQuery): AsyncGenerator<StoredAuditRecord> {
    this.#checkOpen()
    yield* this.#parts.reader.audit(query, this.#auditHead.sequence)
  }

  auditHead(): AuditPosition {
    return this.#auditHead
  }

  async auditStart(): Promise<AuditPosition> {
    this.#checkOpen()
    return this.#parts.reader.auditStart()
  }

  policySnapshot(): Promise<PolicySnapshot> {
    return this.#reading((policy) => policy.snapshot())
  }

  policyRevision(revision: number): Promise<PolicyRevisionRow | undefined> {
    return this.#reading((policy) => policy.policyRevision(revision))
  }

  policyRevisions(query: { before?: number; limit: number }): Promise<readonly PolicyRevisionRow[]> {
    return this.#reading((policy) => policy.policyRevisions(query))
  }

  fastLane(after: number, limit: number): Promise<readonly FastLaneRow[]> {
    return this.#reading((policy) => policy.fastLane(after, limit))
  }

  decisions(query: DecisionQuery): Promise<readonly StoredDecision[]> {
    return this.#reading((policy) => policy.decisions(query))
  }

  decision(id: string): Promise<StoredDecision | undefined> {
    return this.#reading((policy) => policy.decision(id))
  }

  async *decisionCounters(filter: DecisionFilter): AsyncGenerator<StoredDecisionCounter> {
    this.#checkOpen()
    yield* this.#parts.reader.policy.decisionCounters(filter)
  }

  decisionCounts(): Promise<DecisionCounts> {
    return this.#reading((policy) => policy.decisionCounts())
  }

  async #reading<T>(read: (policy: PolicyReader) => T | Promise<T>): Promise<T> {
    this.#checkOpen()
    try {
      return await read(this.#parts.reader.policy)
    } catch (error) {
      throw readError(error, this.#parts.path)
    }
  }

  async prune({ logBefore, auditBefore, decisions }: PruneLimits): Promise<void> {
    this.#checkOpen()
    const question = {
      kind: 'prune',
      logBeforeMs: logBefore.getTime(),
      auditBeforeMs: auditBefore.getTime(),
      decisions: decisions && { beforeMs: decisions.before.getTime(), room: roomOf(decisions) },
    } as const
    const portion = async (): Promise<boolean> => {
      const answer = await this.#parts.writer.ask(question)
      return answer.kind === 'pruned' && answer.more
    }
    while (await this.#queue.between(portion)) continue
  }

  async releaseMemory(): Promise<void> {
    this.#checkOpen()
    this.#parts.reader.releaseMemory()
    await this.#queue.between(() => this.#parts.writer.ask({ kind: 'releaseMemory' }))
  }

  /** Waits for what is queued, takes nothing new, and gives the database back. */
  async [Symbol.asyncDispose](): Promise<void> {
    await (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    await this.#queue.idle()
    this.#feed.close()
    await this.#parts.parts[Symbol.asyncDispose]()
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const { clock, log, writer } = this.#parts
    const startedMs = clock.monotonicMs()
    try {
      const answer = await writer.ask({
        kind: 'write',
        group: ++this.#lastGroup,
        nowMs: clock.now().getTime(),
        transactions: group.map(({ encoded }) => encoded),
      })
      this.#publish(group, answer)
      settle(group, 'outcomes' in answer ? answer.outcomes : [])
    } catch (error) {
      const failure = error instanceof SallyportError ? error : failed(error)
      log.error({ err: error, transactions: group.length }, 'Could not commit to the store')
      // The last of a disk is for those who change or issue something: reports of decisions wait at their agents.
      const others = failure.code === 'STORE_FULL' ? group.filter(({ isReport }) => !isReport) : []
      const isWorthIt = others.length > 0 && others.length < group.length
      for (const waiting of group) if (!isWorthIt || waiting.isReport) waiting.fail(failure)
      if (isWorthIt) await this.#write(others)
    }
    const durationMs = clock.monotonicMs() - startedMs
    if (durationMs > SLOW_COMMIT_MS) log.warn({ durationMs, transactions: group.length }, 'The store is slow')
  }

  #publish(group: readonly Waiting[], answer: WriterAnswer): void {
    if (answer.kind === 'recovered') {
      const { revision, auditHead } = this.#parts.reader.state()
      this.#auditHead = auditHead
      const missed = revision - this.#feed.latest
      if (missed > 0) this.#feed.publish(this.#parts.reader.log(this.#feed.latest, missed) ?? [])
    } else if (answer.kind === 'written') {
      const { sequence, hash } = answer.auditHead
      this.#auditHead = { sequence, hash: Buffer.from(hash) }
      this.#feed.publish(revisionsOf(group, answer.outcomes, answer.changes))
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new SallyportError('STORE_CLOSED', 'Cannot use the store: it is closed')
  }
}

/** Without what does not belong to it: it is copied to another thread. */
const roomOf = ({ maxRecords, maxCounters, maxBytes, maxBytesPerAgent }: DecisionRoom): DecisionRoom => ({
  ...{ maxRecords, maxCounters, maxBytes, maxBytesPerAgent },
})

function revisionsOf(
  group: readonly Waiting[],
  outcomes: readonly EncodedOutcome[],
  changes: readonly (readonly EncodedChange[])[],
): readonly Revision[] {
  return group.flatMap(({ transaction }, index) => {
    const revision = outcomes[index]
    const list = changes[index] ?? []
    if (typeof revision !== 'number' || list.length === 0) return []
    return [
      { revision, changes: list.map((change): Change => decodeChange(change, transaction.mutations[change.mutation])) },
    ]
  })
}

function settle(group: readonly Waiting[], outcomes: readonly EncodedOutcome[]): void {
  for (const [index, waiting] of group.entries()) {
    const outcome = outcomes[index]
    if (typeof outcome === 'number') waiting.settle({ ok: true, revision: outcome })
    else if (outcome === undefined || 'failed' in outcome) waiting.fail(failed(outcome?.failed ?? 'no outcome'))
    else waiting.settle(decodeConflict(outcome))
  }
}

function failed(cause: unknown): SallyportError {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  return new SallyportError('STORE_FAILED', `Cannot commit to the store: ${error.message}`, { cause: error })
}
