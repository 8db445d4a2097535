import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import { applyFastLane, type FastLaneEntry } from '../../src/policy/fast-lane.ts'
import { indexLifecycle, type LifecycleIndex } from '../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE, type Lifecycle } from '../../src/policy/lifecycle.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import type { Log } from '../../src/log/log.ts'
import type { Directory, DirectoryUpdate } from '../entries/directory.ts'
import { Wake } from '../entries/wake.ts'
import type { FastLaneRow, LifecycleObject, PolicyRevisionRow, PolicyStateRow } from '../store/policy-rows.ts'
import type { Change, Store } from '../store/store.ts'
import { liveLifecycle } from './live-lifecycle.ts'
import { Members, type ConcernedSlices } from './members.ts'

export interface PolicyBookDeps {
  readonly store: Store
  readonly directory: Directory
  readonly clock: Clock
  readonly log: Log
}

/** What changed between two looks at the book. */
export interface PolicyNews {
  /** Identities whose slices may be others now; `all` after a new policy. */
  readonly identities: ConcernedSlices
  readonly fastLane: boolean
  readonly keys: boolean
  /** Lifecycle rows or entries changed: rules that hang on both are looked at again. */
  readonly lifecycle: boolean
}

/** The policy that holds, with the rows of its members. */
export interface CurrentPolicy {
  readonly row: PolicyRevisionRow
  readonly members: Members
}

/** Entries of the fast lane that are kept in memory for agents that are a little behind. */
export const FAST_LANE_KEPT = 1_024
const RETRY_MS = 1000

/**
 * Policy, membership and lifecycle at one revision of the store, in memory, kept current by following the directory. Nothing here
 * is written: a change is committed to the store and comes back from there.
 */
export class PolicyBook {
  readonly #deps: PolicyBookDeps
  readonly #watchers = new Set<{ readonly wake: Wake; news: PolicyNews | undefined }>()
  readonly #lifecycleRows = new Map<string, LifecycleObject>()
  #waiting: { readonly revision: number; readonly resolve: () => void }[] = []
  #revision = 0
  #state!: PolicyStateRow
  #current: CurrentPolicy | undefined
  /** Members that were made before their policy was committed. */
  #offered: { readonly set: PolicySet; readonly members: Members } | undefined
  /** The members of the current policy were such. */
  #wasOffered = false
  #lifecycle: Lifecycle = NO_LIFECYCLE
  #index: LifecycleIndex | undefined
  #tail: FastLaneRow[] = []
  /** Counts what changes slices, and says which change concerned whose slice last. */
  #turn = 0
  #allTouched = 0
  #policyTurn = 0
  readonly #touched = new Map<string, number>()

  private constructor(deps: PolicyBookDeps) {
    this.#deps = deps
  }

  /** Reads the book as it is stored. There must be a state: see `openPolicyState`. */
  static async open(deps: PolicyBookDeps): Promise<PolicyBook> {
    const book = new PolicyBook(deps)
    await book.#load()
    return book
  }

  /** Of the store. */
  get revision(): number {
    return this.#revision
  }

  get state(): PolicyStateRow {
    return this.#state
  }

  get epoch(): number {
    return this.#state.epoch
  }

  /** Undefined until the first policy is applied. */
  get current(): CurrentPolicy | undefined {
    return this.#current
  }

  get policyRevision(): number {
    return this.#current?.row.revision ?? 0
  }

  get lifecycle(): Lifecycle {
    return this.#lifecycle
  }

  get lifecycleIndex(): LifecycleIndex {
    return (this.#index ??= indexLifecycle(this.#lifecycle))
  }

  lifecycleRows(): Iterable<LifecycleObject> {
    return this.#lifecycleRows.values()
  }

  lifecycleRow(id: string): LifecycleObject | undefined {
    return this.#lifecycleRows.get(id)
  }

  get fastLaneHead(): FastLaneRow | undefined {
    return this.#tail.at(-1)
  }

  get fastLaneSequence(): number {
    return this.#tail.at(-1)?.sequence ?? 0
  }

  /** The entries after one, from memory; undefined when they do not reach back that far. */
  fastLaneAfter(sequence: number): readonly FastLaneRow[] | undefined {
    const missing = this.fastLaneSequence - sequence
    return missing < 0 || missing > this.#tail.length ? undefined : this.#tail.slice(this.#tail.length - missing)
  }

  get turn(): number {
    return this.#turn
  }

  /** The turn at which the slice of an identity may have changed last. */
  touchedAt(spiffeId: string): number {
    // Who is concerned by a policy is known of registered identities only.
    const isRegistered = this.#current?.members.row(spiffeId) !== undefined
    return Math.max(this.#allTouched, this.#touched.get(spiffeId) ?? 0, isRegistered ? 0 : this.#policyTurn)
  }

  /** Takes the members of a policy that is about to be committed: resolving them again would take as long as all the rest. */
  offer(set: PolicySet, members: Members): void {
    this.#offered = { set, members }
  }

  /** Resolves when the book shows a revision of the store. */
  reached(revision: number): Promise<void> {
    if (revision <= this.#revision) return Promise.resolve()
    return new Promise((resolve) => void this.#waiting.push({ revision, resolve }))
  }

  /** What changed, merged while the reader was busy. */
  async *watch(signal: AbortSignal): AsyncGenerator<PolicyNews> {
    const watcher = { wake: new Wake(), news: undefined as PolicyNews | undefined }
    this.#watchers.add(watcher)
    try {
      for (;;) {
        await watcher.wake.sleep(signal)
        const { news } = watcher
        watcher.news = undefined
        if (news !== undefined) yield news
      }
    } finally {
      this.#watchers.delete(watcher)
    }
  }

  /** Follows the directory until stopped. */
  async run(signal: AbortSignal): Promise<void> {
    const { directory } = this.#deps
    const updates = directory.watch(signal)
    try {
      let next = updates.next()
      // What was committed before this began to listen.
      await this.#load()
      this.#publish({ identities: 'all', fastLane: true, keys: true, lifecycle: true })
      for (let { done, value } = await next; done !== true; { done, value } = await next) {
        await this.#hear(value)
        next = updates.next()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      void updates.return(undefined)
      // Nobody would tell them any more.
      this.#advance(Infinity)
    }
  }

  async #load(): Promise<void> {
    const { store, directory, clock } = this.#deps
    const { revision, state, policy, lifecycle, fastLane } = await store.policySnapshot()
    if (state === undefined) throw new SallyportError('NOT_READY', 'The policy state has not been made yet')
    await directory.reached(revision)
    this.#state = state
    this.#lifecycleRows.clear()
    for (const row of lifecycle) this.#lifecycleRows.set(row.id, row)
    this.#tail = fastLane.slice(-FAST_LANE_KEPT)
    this.#setLifecycle(liveLifecycle(lifecycle, this.fastLaneSequence, clock.now().getTime()))
    this.#current = policy && { row: policy, members: Members.of(policy.policy, directory) }
    this.#touch('all')
    this.#advance(Math.max(revision, directory.revision))
  }

  async #hear(updates: readonly DirectoryUpdate[]): Promise<void> {
    if (updates.some(({ concerned }) => concerned === 'all')) {
      await this.#reload()
      return
    }
    const ids = new Set<string>()
    const before = this.#current
    let isNewPolicy = false
    let [fastLane, keys, lifecycle] = [false, false, false]
    for (const { revision, changes } of updates) {
      for (const change of changes) {
        if (change.kind === 'entry') for (const id of idsOf(change)) ids.add(id)
        // What was loaded with a later revision is there already.
        if (revision <= this.#revision) continue
        this.#apply(change)
        isNewPolicy ||= change.kind === 'policy'
        fastLane ||= change.kind === 'fastLane'
        keys ||= change.kind === 'policyState'
        lifecycle ||= change.kind === 'lifecycle' || change.kind === 'entry' || change.kind === 'agent'
      }
    }
    const concerned = this.#refresh(ids)
    const identities = isNewPolicy ? this.#concernedBy(before, ids) : concerned
    if (isNewPolicy) this.#policyTurn = this.#turn + 1
    if (isNewPolicy || identities === 'all' || identities.size > 0) this.#touch(identities)
    // Waiters read what is refreshed.
    this.#advance(Math.max(this.#revision, updates.at(-1)?.revision ?? 0))
    if (identities === 'all' || identities.size > 0 || fastLane || keys || lifecycle) {
      this.#publish({ identities, fastLane, keys, lifecycle })
    }
  }

  #apply(change: Change): void {
    switch (change.kind) {
      case 'policy':
        this.#current = { row: change.row, members: this.#membersOf(change.row.policy) }
        break
      case 'policyState':
        this.#state = change.row
        break
      case 'lifecycle':
        if (change.after === undefined) this.#lifecycleRows.delete(change.id)
        else this.#lifecycleRows.set(change.id, change.after)
        break
      case 'fastLane':
        this.#tail.push(change.row)
        if (this.#tail.length > 2 * FAST_LANE_KEPT) this.#tail = this.#tail.slice(-FAST_LANE_KEPT)
        this.#setLifecycle(applyFastLane(this.#lifecycle, JSON.parse(change.row.content) as FastLaneEntry))
        break
      default:
    }
  }

  #refresh(ids: ReadonlySet<string>): ConcernedSlices {
    const members = this.#current?.members
    const offered = this.#offered?.members
    // What they share is refreshed once, or the second look would find no difference.
    if (members === undefined || offered?.sharesRowsWith(members) === false) {
      for (const id of ids) offered?.refresh(id)
    }
    const all = new Set<string>()
    let isAll = false
    for (const id of members === undefined ? [] : ids) {
      const concerned = members?.refresh(id) ?? all
      if (concerned === 'all') isAll = true
      else for (const one of concerned) all.add(one)
    }
    return isAll ? 'all' : all
  }

  /**
   * Whose slices a new policy changes. Its members were made from the same entries as those before, if they were offered and no entry
   * changed at the same time.
   */
  #concernedBy(before: CurrentPolicy | undefined, changedIds: ReadonlySet<string>): ConcernedSlices {
    const after = this.#current
    if (before === undefined || after === undefined || !this.#wasOffered || changedIds.size > 0) return 'all'
    return after.members.concernedAfter(before.members)
  }

  /** Slices that were made before are looked at again. */
  #touch(concerned: ConcernedSlices): void {
    this.#turn += 1
    if (concerned === 'all') {
      this.#allTouched = this.#turn
      this.#touched.clear()
    } else {
      for (const id of concerned) this.#touched.set(id, this.#turn)
    }
  }

  #membersOf(set: PolicySet): Members {
    const offered = this.#offered
    this.#offered = undefined
    this.#wasOffered = offered?.set === set
    return offered?.set === set ? offered.members : Members.of(set, this.#deps.directory)
  }

  #setLifecycle(lifecycle: Lifecycle): void {
    this.#lifecycle = lifecycle
    this.#index = undefined
  }

  async #reload(): Promise<void> {
    const { clock, log } = this.#deps
    for (;;) {
      try {
        await this.#load()
        break
      } catch (error) {
        log.error({ err: error }, 'Cannot read the policy from the store')
        await clock.sleep(RETRY_MS)
      }
    }
    this.#publish({ identities: 'all', fastLane: true, keys: true, lifecycle: true })
  }

  #advance(revision: number): void {
    if (revision !== Infinity) this.#revision = revision
    const reached = this.#waiting.filter((one) => one.revision <= revision)
    if (reached.length === 0) return
    this.#waiting = this.#waiting.filter((one) => one.revision > revision)
    for (const { resolve } of reached) resolve()
  }

  #publish(news: PolicyNews): void {
    for (const watcher of this.#watchers) {
      watcher.news = merged(watcher.news, news)
      watcher.wake.wake()
    }
  }
}

function* idsOf({ before, after }: Extract<Change, { kind: 'entry' }>): Generator<string> {
  if (before !== undefined) yield before.spiffeId.toString()
  if (after !== undefined) yield after.spiffeId.toString()
}

function merged(a: PolicyNews | undefined, b: PolicyNews): PolicyNews {
  if (a === undefined) return b
  return {
    identities: a.identities === 'all' || b.identities === 'all' ? 'all' : new Set([...a.identities, ...b.identities]),
    fastLane: a.fastLane || b.fastLane,
    keys: a.keys || b.keys,
    lifecycle: a.lifecycle || b.lifecycle,
  }
}
