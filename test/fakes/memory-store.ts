import { SallyportError } from '../../src/errors.ts'
import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector } from '../../src/entry/selector.ts'
import type { Bundle } from '../../src/bundle/bundle.ts'
import type { AuditEvent, AuditQuery, StoredAuditRecord } from '../../server/audit/record.ts'
import { factsOf, genesisHash, linkHash } from '../../server/store/audit-chain.ts'
import type {
  AttestedAgent,
  AuditPosition,
  AuthorityRow,
  Change,
  JoinToken,
  Mutation,
  Outcome,
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
}

/** What lies on the disk of a server: survives `MemoryStore.reopened()`. */
type Disk = Tables & {
  epoch: string
  revision: number
  log: { at: number; revision: Revision }[]
  audit: StoredAuditRecord[]
  start: AuditPosition
  head: AuditPosition
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
    }
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
    const { entries, similar, agents, tokens, bundles, authorities } = this.#disk
    const tables = [entries, similar, agents, tokens, bundles, authorities]
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

  async prune({ logBefore, auditBefore }: { logBefore: Date; auditBefore: Date }): Promise<void> {
    this.#checkOpen()
    const disk = this.#disk
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
