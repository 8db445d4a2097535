import type { Bundle } from '../../src/bundle/bundle.ts'
import type { Clock } from '../../src/clock.ts'
import { isPrivileged } from '../../src/entry/is-privileged.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Log } from '../../src/log/log.ts'
import type { AttestedAgent, Change, Revision, Store, StoreSnapshot } from '../store/store.ts'
import { placeOfAgent } from './agent-index.ts'
import type { Concerned } from './concern.ts'
import { DirectoryState } from './directory-state.ts'
import { isOver } from './entitlement.ts'
import { placeOfEntry } from './entry-index.ts'
import { agentTest, type AgentFilter, type EntryFilter } from './filter.ts'
import { cutPage, parsePageToken, type Page, type PageRequest } from './page.ts'
import { RECENT_REVISIONS_MAX, RecentRevisions } from './recent-revisions.ts'
import { Wake } from './wake.ts'

export interface DirectoryDeps {
  readonly store: Store
  readonly trustDomain: TrustDomain
  readonly clock: Clock
  readonly log: Log
}

/** What followers of the directory hear: it stands at `revision` now. */
export interface DirectoryUpdate {
  readonly revision: number
  /** The agents whose view may differ, and in which entries; `all` after the directory was read anew. */
  readonly concerned: Concerned | 'all'
  readonly changes: readonly Change[]
}

/** How long to wait before the log is followed again after it broke off. */
const RETRY_MS = 1000

const EVERYTHING: PageRequest = { size: 0, token: '' }

/**
 * Everything the server answers reads from, in memory: entries, agents and bundles at one revision of the store, kept current by
 * following its log. Agents cost the database nothing.
 */
export class Directory implements AsyncDisposable {
  readonly serverId: SpiffeId
  readonly #deps: DirectoryDeps
  readonly #stop = new AbortController()
  readonly #followers = new Set<{ readonly wake: Wake; updates: DirectoryUpdate[] }>()
  #waiting: { readonly revision: number; readonly resolve: () => void; readonly reject: (error: Error) => void }[] = []
  #revision = 0
  #state: DirectoryState
  #recent = new RecentRevisions(0)
  #following: Promise<void> | undefined

  private constructor(deps: DirectoryDeps) {
    this.#deps = deps
    this.serverId = SpiffeId.of(deps.trustDomain, '/spire/server')
    this.#state = this.#stateOf({ entries: [], agents: [], bundles: [] })
  }

  /** Reads the store once and follows its log until disposed. */
  static async open(deps: DirectoryDeps): Promise<Directory> {
    const directory = new Directory(deps)
    directory.#load(await deps.store.snapshot())
    await directory.#readRecent()
    directory.#following = directory.#follow(directory.#stop.signal)
    return directory
  }

  /** Every answer of this directory is at least as new as this revision of the store. */
  get revision(): number {
    return this.#revision
  }

  /** Resolves when the directory shows a revision: whoever committed it reads it from then on. */
  reached(revision: number): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve()
    if (this.#stop.signal.aborted) return Promise.reject(stopping())
    return new Promise((resolve, reject) => void this.#waiting.push({ revision, resolve, reject }))
  }

  /** Every update from now on, several at once when the reader was busy. */
  async *watch(signal: AbortSignal): AsyncGenerator<readonly DirectoryUpdate[]> {
    const follower = { wake: new Wake(), updates: [] as DirectoryUpdate[] }
    this.#followers.add(follower)
    try {
      for (;;) {
        await follower.wake.sleep(signal)
        const { updates } = follower
        follower.updates = []
        if (updates.length > 0) yield updates
      }
    } finally {
      this.#followers.delete(follower)
    }
  }

  /** The revisions after one, from memory; undefined when memory does not reach back that far. */
  recentAfter(revision: number): readonly Revision[] | undefined {
    return this.#recent.after(revision)
  }

  // Entries

  entry(id: string): RegistrationEntry | undefined {
    return this.#state.entries.get(id)
  }

  entries(): Iterable<RegistrationEntry> {
    return this.#state.entries.values()
  }

  get entryCount(): number {
    return this.#state.entries.size
  }

  /** Entries that give an id to workloads or name an alias. */
  entriesWithSpiffeId(spiffeId: SpiffeId): readonly RegistrationEntry[] {
    return [...this.#state.entries.withSpiffeId(spiffeId.toString()).values()]
  }

  entriesWithDnsName(name: string): readonly RegistrationEntry[] {
    return [...this.#state.entries.withDnsName(name).values()]
  }

  entriesUnder(parentId: SpiffeId): readonly RegistrationEntry[] {
    return [...this.#state.entries.childrenOf(parentId.toString()).values()]
  }

  entriesFederatingWith(trustDomain: string): readonly RegistrationEntry[] {
    return [...this.#state.entries.federatingWith(trustDomain).values()]
  }

  listEntries(filter: EntryFilter = {}, page: PageRequest = EVERYTHING): Page<RegistrationEntry> {
    const after = parsePageToken(page.token)
    return cutPage(this.#state.entriesAfter(filter, after), page.size, placeOfEntry)
  }

  countEntries(filter: EntryFilter = {}): number {
    return Object.values(filter).every((value) => value === undefined)
      ? this.#state.entries.size
      : this.listEntries(filter).items.length
  }

  /** Entries whose end date has passed and that nobody is entitled to any more. */
  expiredEntries(now: Date): readonly RegistrationEntry[] {
    return [...this.#state.entries.expiring()].filter((entry) => isOver(entry, now))
  }

  /** When the next entry ends. */
  nextEntryExpiry(): Date | undefined {
    let next: Date | undefined
    for (const { expiresAt } of this.#state.entries.expiring()) {
      if (expiresAt !== undefined && (next === undefined || expiresAt < next)) next = expiresAt
    }
    return next
  }

  /** Entries marked admin or downstream: who holds rights beyond its own identity (SE-12). */
  privilegedEntries(): readonly RegistrationEntry[] {
    return [...this.#state.entries.values()].filter(isPrivileged)
  }

  // Agents

  agent(id: SpiffeId | string): AttestedAgent | undefined {
    return this.#state.agents.get(id.toString())
  }

  agents(): Iterable<AttestedAgent> {
    return this.#state.agents.values()
  }

  get agentCount(): number {
    return this.#state.agents.size
  }

  listAgents(filter: AgentFilter = {}, page: PageRequest = EVERYTHING): Page<AttestedAgent> {
    const passes = agentTest(filter)
    const after = this.#state.agents.inOrder(parsePageToken(page.token))
    return cutPage(Iterator.from(after).filter(passes), page.size, placeOfAgent)
  }

  countAgents(filter: AgentFilter = {}): number {
    return this.listAgents(filter).items.length
  }

  /** Entries that exist only to give one agent another name: they go when it goes. */
  aliasEntriesOf(agentId: SpiffeId): readonly RegistrationEntry[] {
    const id = agentId.toString()
    const candidates = [...this.entriesUnder(this.serverId), ...this.entriesUnder(agentId)]
    return candidates.filter(({ selectors: [only, ...more] }) => {
      return more.length === 0 && only?.type === 'spiffe_id' && only.value === id
    })
  }

  // Who is entitled to what

  /** Every entry that an agent may hold now. Empty for agents that are not known. */
  entitled(agentId: SpiffeId | string): readonly RegistrationEntry[] {
    return this.#state.entitlement.entriesOf(agentId.toString(), this.#deps.clock.now())
  }

  isEntitled(agentId: SpiffeId | string, entryId: string): boolean {
    const entry = this.#state.entries.get(entryId)
    return entry !== undefined && this.covers(agentId, entry)
  }

  /** Would the agent be entitled to this version of an entry, as aliases and parents are now? */
  covers(agentId: SpiffeId | string, entry: RegistrationEntry): boolean {
    return this.#state.entitlement.covers(agentId.toString(), entry, this.#deps.clock.now())
  }

  /** Ids of the agents that a change may concern, as things stand now: cost follows them, not all agents. */
  agentsConcerned(change: Change): ReadonlySet<string> {
    return new Set(this.#state.concernedBy(change).keys())
  }

  // Bundles

  bundle(trustDomain: TrustDomain | string): Bundle | undefined {
    return this.#state.bundles.get(trustDomain.toString())
  }

  bundles(): Iterable<Bundle> {
    return this.#state.bundles.values()
  }

  get bundleCount(): number {
    return this.#state.bundles.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(stopping())
    for (const { reject } of this.#waiting.splice(0)) reject(stopping())
    await this.#following
  }

  // Following the log

  #load(snapshot: StoreSnapshot): void {
    this.#state = this.#stateOf(snapshot)
    this.#recent = new RecentRevisions(snapshot.revision)
    this.#advance(snapshot.revision)
  }

  /** After a restart all agents come back at once, each a little behind: what they missed is read once for all of them. */
  async #readRecent(): Promise<void> {
    const base = Math.max(0, this.#revision - RECENT_REVISIONS_MAX)
    const revisions = await this.#deps.store.changesSince(base)
    if (revisions === undefined) return
    this.#recent = new RecentRevisions(base)
    for (const revision of revisions) if (revision.revision <= this.#revision) this.#recent.add(revision)
  }

  #stateOf(snapshot: Pick<StoreSnapshot, 'entries' | 'agents' | 'bundles'>): DirectoryState {
    return new DirectoryState(snapshot, {
      serverId: this.serverId.toString(),
      ownTrustDomain: this.#deps.trustDomain.name,
    })
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#deps
    while (!signal.aborted) {
      try {
        for await (const revisions of store.watch(this.#revision, signal)) {
          for (const revision of revisions) this.#apply(revision)
        }
        if (signal.aborted) return
        await clock.sleep(RETRY_MS, signal)
      } catch (error) {
        if (signal.aborted) return
        log.error({ err: error, revision: this.#revision }, 'Lost the log of the store, reading everything anew')
        await this.#reload(signal)
      }
    }
  }

  async #reload(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#deps
    try {
      await clock.sleep(RETRY_MS, signal)
      this.#load(await store.snapshot())
      this.#publish({ revision: this.#revision, concerned: 'all', changes: [] })
    } catch (error) {
      if (!signal.aborted) log.error({ err: error }, 'Cannot read the store')
    }
  }

  #apply(revision: Revision): void {
    if (revision.revision <= this.#revision) return
    const concerned = this.#state.apply(revision.changes)
    this.#recent.add(revision)
    this.#advance(revision.revision)
    this.#publish({ revision: revision.revision, concerned, changes: revision.changes })
  }

  #advance(revision: number): void {
    this.#revision = revision
    if (this.#waiting.length === 0) return
    const reached = this.#waiting.filter((one) => one.revision <= revision)
    this.#waiting = this.#waiting.filter((one) => one.revision > revision)
    for (const { resolve } of reached) resolve()
  }

  #publish(update: DirectoryUpdate): void {
    for (const follower of this.#followers) {
      follower.updates.push(update)
      follower.wake.wake()
    }
  }
}

const stopping = (): SallyportError => new SallyportError('NOT_READY', 'The server is stopping')
