import { SallyportError } from '../../src/errors.ts'
import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector } from '../../src/entry/selector.ts'
import type { Bundle } from '../../src/bundle/bundle.ts'
import type { AuditEvent, AuditQuery, StoredAuditRecord } from '../../server/audit/record.ts'
import { factsOf, genesisHash, linkHash } from '../../server/store/audit-chain.ts'
import {
  matchesDecision,
  type DecisionBatchRow,
  type DecisionCounts,
  type DecisionFilter,
  type DecisionLimits,
  type DecisionRoom,
  type DecisionQuery,
  type StoredDecision,
  type StoredDecisionCounter,
} from '../../server/store/decision-rows.ts'
import type {
  FastLaneRow,
  LifecycleObject,
  PolicyRevisionRow,
  PolicySnapshot,
  PolicyStateRow,
} from '../../server/store/policy-rows.ts'
import type {
  AttestedAgent,
  AuditPosition,
  AuthorityRow,
  Change,
  JoinToken,
  Mutation,
  Outcome,
  PruneLimits,
  Revision,
  Store,
  StoreConflict,
  StoreSnapshot,
  Transaction,
} from '../../server/store/store.ts'

/** What the store's crash hooks see; throwing from `beforeCommit` loses the group, from `afterCommit` only the answer. */
export interface MemoryStoreOptions {
  readonly clock?: Pick<Clock, 'now'>
  readonly epoch?: string
  beforeCommit?: (transactions: readonly Transaction[]) => void | Promise<void>
  afterCommit?: (transactions: readonly Transaction[], outcomes: readonly Outcome[]) => void | Promise<void>
}

/** A map that can take back what was done to it since `begin()`. */
class Table<T> extends Map<string, T> {
  #undo: (() => void)[] = []

  begin(): void {
    this.#undo = []
  }

  rollback(): void {
    for (const undo of this.#undo.toReversed()) undo()
    this.#undo = []
  }

  override set(key: string, value: T): this {
    this.#remember(key)
    return super.set(key, value)
  }

  override delete(key: string): boolean {
    this.#remember(key)
    return super.delete(key)
  }

  #remember(key: string): void {
    const before = super.get(key)
    this.#undo.push(() => (before === undefined ? super.delete(key) : super.set(key, before)))
  }
}

type Tables = {
  readonly entries: Table<RegistrationEntry>
  readonly similar: Table<string>
  readonly agents: Table<AttestedAgent>
  readonly tokens: Table<JoinToken>
  readonly bundles: Table<Bundle>
  readonly authorities: Table<AuthorityRow>
  readonly policies: Table<PolicyRevisionRow>
  readonly policyState: Table<PolicyStateRow>
  readonly lifecycle: Table<LifecycleObject>
  readonly fastLane: Table<FastLaneRow>
}

/** What lies on the disk of a server: survives `MemoryStore.reopened()`. */
type Disk = Tables & {
  epoch: string
  revision: number
  log: { at: number; revision: Revision }[]
  audit: StoredAuditRecord[]
  start: AuditPosition
  head: AuditPosition
  decisions: MemoryDecisions
}

/** A store in memory, held to the same contract as SQLite. Not for use outside tests. */
export class MemoryStore implements Store {
  readonly #disk: Disk
  readonly #options: MemoryStoreOptions
  readonly #wakers = new Set<() => void>()
  #tail: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(options: MemoryStoreOptions = {}, disk?: Disk) {
    const epoch = options.epoch ?? 'memory'
    const start = { sequence: 0, hash: genesisHash(epoch) }
    this.#options = options
    this.#disk = disk ?? {
      epoch,
      revision: 0,
      log: [],
      audit: [],
      start,
      head: start,
      entries: new Table(),
      similar: new Table(),
      agents: new Table(),
      tokens: new Table(),
      bundles: new Table(),
      authorities: new Table(),
      policies: new Table(),
      policyState: new Table(),
      lifecycle: new Table(),
      fastLane: new Table(),
      decisions: new MemoryDecisions(),
    }
  }

  /** As when the file was put back from a backup. */
  restore(epoch: string): void {
    this.#disk.epoch = epoch
  }

  /** The same data in a new process; the old store is closed, as if killed. */
  reopened(options: MemoryStoreOptions = this.#options): MemoryStore {
    this.#close()
    return new MemoryStore(options, this.#disk)
  }

  get epoch(): string {
    return this.#disk.epoch
  }

  get revision(): number {
    return this.#disk.revision
  }

  async commit(transaction: Transaction): Promise<Outcome> {
    const [outcome] = await this.commitAll([transaction])
    if (outcome === undefined) throw new Error('a commit without an outcome')
    return outcome
  }

  commitAll(transactions: readonly Transaction[]): Promise<readonly Outcome[]> {
    const done = this.#tail.then(() => this.#commitGroup(transactions))
    this.#tail = done.catch(() => undefined)
    return done
  }

  async #commitGroup(transactions: readonly Transaction[]): Promise<readonly Outcome[]> {
    this.#checkOpen()
    await this.#options.beforeCommit?.(transactions)
    this.#checkOpen()
    const audited: AuditEvent[] = []
    const outcomes = transactions.map((transaction) => {
      const outcome = this.#apply(transaction)
      if (outcome.ok) audited.push(...transaction.audit)
      return outcome
    })
    this.#chain(audited)
    for (const wake of this.#wakers) wake()
    await this.#options.afterCommit?.(transactions, outcomes)
    return outcomes
  }

  #apply({ mutations }: Transaction): Outcome {
    const tables = Object.values(this.#disk).filter((value) => value instanceof Table)
    for (const table of tables) table.begin()
    const changes: Change[] = []
    for (const [index, mutation] of mutations.entries()) {
      const result = mutate(this.#disk, mutation)
      if ('reason' in result) {
        for (const table of tables) table.rollback()
        return { ok: false, index, ...result }
      }
      changes.push(...result.changes)
    }
    for (const mutation of mutations)
      if (mutation.kind === 'decisions.add') this.#disk.decisions.add(mutation.batch, mutation.room)
    if (changes.length === 0) return { ok: true, revision: this.#disk.revision }
    this.#disk.revision++
    this.#disk.log.push({ at: this.#nowMs(), revision: { revision: this.#disk.revision, changes } })
    return { ok: true, revision: this.#disk.revision }
  }

  #chain(events: readonly AuditEvent[]): void {
    if (events.length === 0) return
    const disk = this.#disk
    const records = events.map((event, index) => ({
      sequence: disk.head.sequence + index + 1,
      atMs: event.at.getTime(),
      type: event.type,
      facts: factsOf(event),
    }))
    const hash = linkHash(disk.head.hash, records)
    for (const { atMs, ...record } of records) disk.audit.push({ ...record, at: new Date(atMs), linkHash: hash })
    disk.head = { sequence: disk.head.sequence + events.length, hash }
  }

  async snapshot(): Promise<StoreSnapshot> {
    this.#checkOpen()
    const { revision, entries, agents, bundles, authorities } = this.#disk
    return {
      revision,
      entries: sorted(entries),
      agents: sorted(agents),
      bundles: sorted(bundles),
      authorities: sorted(authorities),
    }
  }

  async *watch(after: number, signal: AbortSignal): AsyncGenerator<readonly Revision[]> {
    let seen = after
    while (!signal.aborted && !this.#closed) {
      const news = await this.changesSince(seen)
      if (news === undefined) throw new SallyportError('STORE_LOG_PRUNED', `Cannot follow from revision ${seen}`)
      if (news.length > 0) {
        seen = news.at(-1)?.revision ?? seen
        yield news
      } else {
        await this.#woken(signal)
      }
    }
  }

  #woken(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#wakers.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#wakers.add(wake)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  async changesSince(after: number): Promise<readonly Revision[] | undefined> {
    this.#checkOpen()
    const { revision, log } = this.#disk
    const missing = revision - after
    if (missing < 0 || missing > log.length) return undefined
    return log.slice(log.length - missing).map((row) => row.revision)
  }

  async token(hash: string): Promise<JoinToken | undefined> {
    this.#checkOpen()
    return this.#disk.tokens.get(hash)
  }

  async *audit(query: AuditQuery): AsyncGenerator<StoredAuditRecord> {
    this.#checkOpen()
    const found = this.#disk.audit.filter((record) => asked(record, query))
    const { limit = found.length, newest = false } = query
    yield* newest ? found.slice(Math.max(0, found.length - limit)) : found.slice(0, limit)
  }

  auditHead(): AuditPosition {
    return this.#disk.head
  }

  async auditStart(): Promise<AuditPosition> {
    return this.#disk.start
  }

  async policySnapshot(): Promise<PolicySnapshot> {
    this.#checkOpen()
    const { revision, policies, policyState, lifecycle, fastLane } = this.#disk
    return {
      revision,
      state: policyState.get('policy'),
      policy: [...policies.values()].at(-1),
      lifecycle: sorted(lifecycle),
      fastLane: [...fastLane.values()],
    }
  }

  async policyRevision(revision: number): Promise<PolicyRevisionRow | undefined> {
    this.#checkOpen()
    return this.#disk.policies.get(String(revision))
  }

  async policyRevisions({ before = Infinity, limit }: { before?: number; limit: number }) {
    this.#checkOpen()
    const rows = [...this.#disk.policies.values()].filter(({ revision }) => revision < before)
    return rows.toReversed().slice(0, limit)
  }

  async fastLane(after: number, limit: number): Promise<readonly FastLaneRow[]> {
    this.#checkOpen()
    return [...this.#disk.fastLane.values()].filter(({ sequence }) => sequence > after).slice(0, limit)
  }

  async decisions(query: DecisionQuery): Promise<readonly StoredDecision[]> {
    this.#checkOpen()
    return this.#disk.decisions.find(query)
  }

  async decision(id: string): Promise<StoredDecision | undefined> {
    this.#checkOpen()
    return this.#disk.decisions.records.find((record) => record.id === id)
  }

  async *decisionCounters(filter: DecisionFilter): AsyncGenerator<StoredDecisionCounter> {
    this.#checkOpen()
    yield* sorted(this.#disk.decisions.counters).filter((counter) => matchesDecision(counter, filter, counter))
  }

  async decisionCounts(): Promise<DecisionCounts> {
    this.#checkOpen()
    return this.#disk.decisions.counts
  }

  async releaseMemory(): Promise<void> {
    this.#checkOpen()
  }

  async prune({ logBefore, auditBefore, decisions }: PruneLimits): Promise<void> {
    this.#checkOpen()
    const disk = this.#disk
    if (decisions !== undefined) disk.decisions.prune(decisions)
    const newest = [...disk.fastLane.values()].at(-1)
    for (const [key, row] of disk.fastLane) {
      if (row !== newest && row.atMs < logBefore.getTime()) disk.fastLane.delete(key)
    }
    const keptLog = disk.log.findIndex(({ at }) => at >= logBefore.getTime())
    disk.log = keptLog === -1 ? [] : disk.log.slice(keptLog)
    // Whole links only: a link can be verified only with all of its records.
    const young = disk.audit.find(({ at }) => at >= auditBefore)
    const first = young && disk.audit.findIndex(({ linkHash: hash }) => hash.equals(young.linkHash))
    const last = disk.audit[(first ?? disk.audit.length) - 1]
    if (last === undefined) return
    disk.start = { sequence: last.sequence, hash: last.linkHash }
    disk.audit = disk.audit.filter(({ sequence }) => sequence > last.sequence)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tail
    this.#close()
  }

  #close(): void {
    this.#closed = true
    for (const wake of this.#wakers) wake()
  }

  #checkOpen(): void {
    if (this.#closed) throw new SallyportError('STORE_CLOSED', 'Cannot use the store: it is closed')
  }

  #nowMs(): number {
    return (this.#options.clock?.now() ?? new Date(0)).getTime()
  }
}

type Refusal = Omit<StoreConflict, 'ok' | 'index'>
type Result = { readonly changes: readonly Change[] } | Refusal

function mutate(tables: Tables, mutation: Mutation): Result {
  switch (mutation.kind) {
    case 'entry.create':
      return createEntry(tables, mutation.entry)
    case 'entry.update':
      return updateEntry(tables, mutation.entry)
    case 'entry.delete':
      return deleteEntry(tables, mutation.id)
    case 'agent.put':
      return putAgent(tables, mutation.agent)
    case 'agent.delete': {
      const before = tables.agents.get(mutation.spiffeId.toString())
      if (before === undefined) return { reason: 'missing' }
      tables.agents.delete(mutation.spiffeId.toString())
      return one({ kind: 'agent', spiffeId: before.spiffeId, before, after: undefined })
    }
    case 'token.create': {
      const existingToken = tables.tokens.get(mutation.token.hash)
      if (existingToken !== undefined) return { reason: 'exists', existingToken }
      tables.tokens.set(mutation.token.hash, mutation.token)
      return one({ kind: 'token', hash: mutation.token.hash })
    }
    case 'token.spend': {
      const existingToken = tables.tokens.get(mutation.hash)
      if (existingToken === undefined) return { reason: 'missing' }
      if (existingToken.spent !== undefined) return { reason: 'spent', existingToken }
      if (mutation.at >= existingToken.expiresAt) return { reason: 'expired', existingToken }
      tables.tokens.set(mutation.hash, { ...existingToken, spent: { at: mutation.at, address: mutation.address } })
      return one({ kind: 'token', hash: mutation.hash })
    }
    case 'token.prune': {
      const gone = sorted(tables.tokens).filter(({ expiresAt }) => expiresAt < mutation.expiredBefore)
      for (const { hash } of gone) tables.tokens.delete(hash)
      return { changes: gone.map(({ hash }) => ({ kind: 'token', hash })) }
    }
    case 'bundle.put': {
      const name = mutation.bundle.trustDomain.name
      const before = tables.bundles.get(name)
      const isStale = mutation.ifSequence !== undefined && mutation.ifSequence !== (before?.sequenceNumber ?? 0)
      if (isStale) return { reason: 'stale' }
      tables.bundles.set(name, mutation.bundle)
      return one({ kind: 'bundle', trustDomain: name, before, after: mutation.bundle })
    }
    case 'bundle.delete': {
      const before = tables.bundles.get(mutation.trustDomain)
      if (before === undefined) return { reason: 'missing' }
      tables.bundles.delete(mutation.trustDomain)
      return one({ kind: 'bundle', trustDomain: mutation.trustDomain, before, after: undefined })
    }
    case 'authority.put': {
      const { row } = mutation
      tables.authorities.set(`${row.serverId} ${row.kind} ${row.authorityId}`, row)
      return one({ kind: 'authority', row })
    }
    case 'authority.delete': {
      const key = `${mutation.serverId} ${mutation.authorityKind} ${mutation.authorityId}`
      const row = tables.authorities.get(key)
      if (row === undefined) return { reason: 'missing' }
      tables.authorities.delete(key)
      return one({ kind: 'authority', row: { ...row, state: 'removed' } })
    }
    case 'policy.put': {
      const { row } = mutation
      const refusal = notNext([...tables.policies.values()].at(-1)?.revision, row.revision, 1)
      if (refusal !== undefined) return refusal
      tables.policies.set(String(row.revision), row)
      return one({ kind: 'policy', row })
    }
    case 'policyState.put': {
      const { row } = mutation
      const refusal = notNext(tables.policyState.get('policy')?.revisionNumber, row.revisionNumber, 0)
      if (refusal !== undefined) return refusal
      tables.policyState.set('policy', row)
      return one({ kind: 'policyState', row })
    }
    case 'lifecycle.put': {
      const { row } = mutation
      const before = tables.lifecycle.get(row.id)
      const refusal = notNext(before?.revisionNumber, row.revisionNumber, 0)
      if (refusal !== undefined) return refusal
      tables.lifecycle.set(row.id, row)
      return one({ kind: 'lifecycle', id: row.id, before, after: row })
    }
    case 'lifecycle.delete': {
      const before = tables.lifecycle.get(mutation.id)
      if (before === undefined) return { reason: 'missing' }
      tables.lifecycle.delete(mutation.id)
      return one({ kind: 'lifecycle', id: mutation.id, before, after: undefined })
    }
    case 'fastLane.append': {
      const { row } = mutation
      const refusal = notNext([...tables.fastLane.values()].at(-1)?.sequence, row.sequence, 1)
      if (refusal !== undefined) return refusal
      tables.fastLane.set(String(row.sequence), row)
      return one({ kind: 'fastLane', row })
    }
    case 'decisions.add':
      return { changes: [] }
  }
}

function notNext(stored: number | undefined, wanted: number, first: number): Refusal | undefined {
  if (wanted === (stored === undefined ? first : stored + 1)) return undefined
  return { reason: stored === undefined ? 'missing' : wanted === 0 ? 'exists' : 'stale' }
}

const upToMost = (count: number): number => Math.min(count, Number.MAX_SAFE_INTEGER)

interface Holding {
  readonly key: number | string
  readonly agent: string
  readonly workload: string
  readonly bytes: number
}

/** Drops the first of whoever holds most until what is held fits. */
function trim(held: () => Holding[], maxBytes: number, maxItems: number, drop: (one: Holding) => void): void {
  for (let all = held(); all.length > maxItems || sizeOf(all) > maxBytes; all = held()) {
    const agent = largestOf(Map.groupBy(all, (one) => one.agent))
    const [oldest] = largestOf(Map.groupBy(agent, ({ workload }) => workload))
    if (oldest !== undefined) drop(oldest)
  }
}

const sizeOf = (held: readonly Holding[]): number => held.reduce((sum, { bytes }) => sum + bytes, 0)

const largestOf = (groups: ReadonlyMap<string, Holding[]>): Holding[] =>
  [...groups.values()].reduce((largest, group) => (sizeOf(group) > sizeOf(largest) ? group : largest), [])

/** Decision records and counters, as the tables of SQLite hold them. */
class MemoryDecisions {
  readonly #logs = new Map<string, DecisionBatchRow>()
  records: StoredDecision[] = []
  readonly counters = new Map<string, StoredDecisionCounter>()
  readonly #workloads = new Map<number | string, string>()
  readonly #dropped = { records: 0, counters: 0 }
  #positions = 0

  get counts(): DecisionCounts {
    return {
      records: this.records.length,
      counters: this.counters.size,
      droppedRecords: this.#dropped.records,
      droppedCounters: this.#dropped.counters,
    }
  }

  add(batch: DecisionBatchRow, room: DecisionRoom): void {
    const { agent, logId, receivedMs } = batch
    const known = this.#logs.get(`${agent} ${logId}`)
    if (known !== undefined && known.batch >= batch.batch) return
    this.#logs.set(`${agent} ${logId}`, batch)
    this.#dropped.records = upToMost(this.#dropped.records + batch.droppedRecords)
    this.#dropped.counters = upToMost(this.#dropped.counters + batch.droppedCounters)
    for (const record of batch.records) {
      const isKnown = this.records.some(
        (one) => one.agent === agent && one.logId === logId && one.sequence === record.sequence,
      )
      if (isKnown) continue
      const { workload, ...rest } = record
      this.records.push({ ...rest, agent, logId, receivedMs, position: ++this.#positions })
      this.#workloads.set(this.#positions, workload)
    }
    for (const counter of batch.counters) {
      const key = `${String(counter.day).padStart(9, '0')} ${agent} ${counter.key}`
      const old = this.counters.get(key)
      if (old === undefined) this.#workloads.set(key, counter.workload)
      this.counters.set(key, {
        ...{ ...counter, ...old, agent },
        count: upToMost(counter.count + (old?.count ?? 0)),
        firstMs: Math.min(counter.firstMs, old?.firstMs ?? Infinity),
        lastMs: Math.max(counter.lastMs, old?.lastMs ?? 0),
      })
    }
    this.#makeRoom(agent, room)
  }

  find({ before = Infinity, after = 0, limit, ...filter }: DecisionQuery): StoredDecision[] {
    return this.records
      .filter((one) => one.position < before && one.position > after)
      .filter((one) => matchesDecision(one, filter, { firstMs: one.atMs, lastMs: one.atMs }))
      .toReversed()
      .slice(0, limit)
  }

  /** What SQLite does with sums, by looking at everything each time. */
  #makeRoom(agent: string | undefined, { maxRecords, maxCounters, maxBytes, maxBytesPerAgent }: DecisionRoom): void {
    const records = (): Holding[] =>
      this.records.map(({ position, ...record }) => ({
        ...{ key: position, agent: record.agent, bytes: record.content.length + 256 },
        workload: this.#workloads.get(position) ?? '',
      }))
    const counters = (): Holding[] =>
      [...this.counters.keys()].toSorted().map((key) => ({
        ...{ key, agent: this.counters.get(key)!.agent, bytes: 2 * key.length + 256 },
        workload: this.#workloads.get(key) ?? '',
      }))
    const dropRecord = ({ key }: Holding): void => {
      this.records = this.records.filter(({ position }) => position !== key)
      this.#dropped.records++
    }
    const dropCounter = ({ key }: Holding): void => {
      this.#dropped.counters = upToMost(this.#dropped.counters + (this.counters.get(String(key))?.count ?? 0))
      this.counters.delete(String(key))
    }
    trim(() => records().filter((one) => one.agent === agent), maxBytesPerAgent, Infinity, dropRecord)
    trim(() => counters().filter((one) => one.agent === agent), maxBytesPerAgent, Infinity, dropCounter)
    trim(records, maxBytes, maxRecords, dropRecord)
    trim(counters, maxBytes, maxCounters, dropCounter)
  }

  prune({ before, ...room }: DecisionLimits): void {
    const beforeMs = before.getTime()
    this.records = this.records.filter(({ receivedMs }) => receivedMs >= beforeMs)
    for (const [key, { lastMs }] of this.counters) if (lastMs < beforeMs) this.counters.delete(key)
    for (const agent of new Set(this.records.map((record) => record.agent))) this.#makeRoom(agent, room)
    this.#makeRoom(undefined, room)
    for (const [key, { receivedMs }] of this.#logs) if (receivedMs < beforeMs) this.#logs.delete(key)
  }
}

function createEntry(tables: Tables, entry: RegistrationEntry): Result {
  const existingEntry = tables.entries.get(entry.id) ?? similarTo(tables, entry)
  if (existingEntry !== undefined) return { reason: 'exists', existingEntry }
  tables.entries.set(entry.id, entry)
  tables.similar.set(similarityOf(entry), entry.id)
  return one({ kind: 'entry', id: entry.id, before: undefined, after: entry })
}

function updateEntry(tables: Tables, entry: RegistrationEntry): Result {
  const before = tables.entries.get(entry.id)
  if (before === undefined) return { reason: 'missing' }
  if (before.revisionNumber !== entry.revisionNumber - 1) return { reason: 'stale', existingEntry: before }
  const similar = similarTo(tables, entry)
  if (similar !== undefined && similar.id !== entry.id) return { reason: 'exists', existingEntry: similar }
  tables.similar.delete(similarityOf(before))
  tables.similar.set(similarityOf(entry), entry.id)
  tables.entries.set(entry.id, entry)
  return one({ kind: 'entry', id: entry.id, before, after: entry })
}

function deleteEntry(tables: Tables, id: string): Result {
  const before = tables.entries.get(id)
  if (before === undefined) return { reason: 'missing' }
  tables.entries.delete(id)
  tables.similar.delete(similarityOf(before))
  return one({ kind: 'entry', id, before, after: undefined })
}

function putAgent(tables: Tables, agent: AttestedAgent): Result {
  const before = tables.agents.get(agent.spiffeId.toString())
  if (agent.revisionNumber === 0 && before !== undefined) return { reason: 'exists' }
  if (agent.revisionNumber > 0 && before === undefined) return { reason: 'missing' }
  if (before !== undefined && before.revisionNumber !== agent.revisionNumber - 1) return { reason: 'stale' }
  tables.agents.set(agent.spiffeId.toString(), agent)
  return one({ kind: 'agent', spiffeId: agent.spiffeId, before, after: agent })
}

const one = (change: Change): Result => ({ changes: [change] })

function similarTo(tables: Tables, entry: RegistrationEntry): RegistrationEntry | undefined {
  return tables.entries.get(tables.similar.get(similarityOf(entry)) ?? '')
}

const similarityOf = ({ spiffeId, parentId, selectors }: RegistrationEntry): string =>
  JSON.stringify([spiffeId.toString(), parentId.toString(), selectors.map(printSelector).toSorted()])

/** Rows in the order of their keys, compared as SQLite compares: by bytes of UTF-8 (the keys are ASCII). */
function sorted<T>(table: ReadonlyMap<string, T>): T[] {
  return [...table].toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, row]) => row)
}

function asked(record: StoredAuditRecord, query: AuditQuery): boolean {
  const facts = JSON.parse(record.facts) as Record<string, unknown>
  return (
    record.sequence > (query.afterSequence ?? 0) &&
    (query.type === undefined || record.type === query.type) &&
    (query.spiffeId === undefined || facts['spiffeId'] === query.spiffeId) &&
    (query.serialNumber === undefined || facts['serialNumber'] === query.serialNumber) &&
    (query.since === undefined || record.at >= query.since) &&
    (query.until === undefined || record.at <= query.until)
  )
}
