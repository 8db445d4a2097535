import { SallyportError } from '../errors.ts'
import { compile } from '../policy/compile.ts'
import { applyFastLane, type FastLaneEntry } from '../policy/fast-lane.ts'
import { type Lifecycle, NO_LIFECYCLE } from '../policy/lifecycle.ts'
import { indexLifecycle, type LifecycleIndex } from '../policy/lifecycle-index.ts'
import { readFastLaneEntry, readLifecycle } from '../policy/read-fast-lane.ts'
import { readSlice } from '../policy/read-slice.ts'
import type { SliceDocument } from '../policy/signed-documents.ts'
import type { Tables } from '../policy/tables.ts'
import type {
  PolicyStatus,
  PolicyUpdate,
  SignedSlice,
  WatchPolicyRequest,
} from '../wire/messages/sallyport-policy-v1.ts'

/** The policy as far as it concerns one identity of this workload, ready to decide. */
export interface PolicySlice {
  readonly document: SliceDocument
  readonly tables: Tables
  /** With what is only drafted counted in; undefined when nothing is. */
  readonly drafts: Tables | undefined
}

/** Everything of policy that a workload holds at one moment. Immutable. */
export interface PolicyContext {
  /** By SPIFFE ID. Empty while the server has no policy, or none for this workload. */
  readonly slices: ReadonlyMap<string, PolicySlice>
  readonly lifecycle: Lifecycle
  readonly lifecycleIndex: LifecycleIndex
  readonly status: PolicyStatus
  /** `clock.monotonicMs()` when `status` came: its age grows from there. */
  readonly receivedAtMs: number
  readonly changed: PolicyChanges
}

/** What an update changed, for those who look at open connections again. */
export interface PolicyChanges {
  /** SPIFFE IDs whose slice came, changed or went. */
  readonly slices: readonly string[]
  /** In order; `all` after a snapshot. */
  readonly fastLane: readonly FastLaneEntry[] | 'all'
}

const NO_STATUS: PolicyStatus = {
  hasPolicy: false,
  policyEpoch: 0,
  policyRevision: 0,
  fastLaneSequence: 0,
  ageMs: Number.MAX_SAFE_INTEGER,
  stale: true,
}

export const NO_POLICY_CONTEXT: PolicyContext = {
  slices: new Map(),
  lifecycle: NO_LIFECYCLE,
  lifecycleIndex: indexLifecycle(NO_LIFECYCLE),
  status: NO_STATUS,
  receivedAtMs: 0,
  changed: { slices: [], fastLane: [] },
}

interface Held {
  readonly context: PolicyContext
  /** SHA-256 of the slices' contents, by SPIFFE ID. */
  readonly digests: ReadonlyMap<string, Buffer>
  readonly epoch: number
}

/** A slice, and the SHA-256 of its content. */
interface ReadSlice {
  readonly slice: PolicySlice
  readonly digest: Buffer
}

const NOTHING: Held = { context: NO_POLICY_CONTEXT, digests: new Map(), epoch: 0 }

/** Puts the updates of the agent together; each answer is the complete state. */
export class PolicyReader {
  readonly #digest: (content: Buffer) => Buffer
  #held: Held = NOTHING
  /** The newest entry of the fast lane that this workload has ever heard; an agent that is behind it takes nothing back. */
  #newest = { epoch: 0, sequence: 0 }
  /** The slices that were in force when everything was asked for anew: an older one takes their place no more than before. */
  readonly #before = new Map<string, ReadSlice>()

  /** @param digest SHA-256 */
  constructor(digest: (content: Buffer) => Buffer) {
    this.#digest = digest
  }

  /** What to ask for: what is held already is not sent again. */
  get request(): WatchPolicyRequest {
    const { context, digests, epoch } = this.#held
    return {
      held: [...digests].map(([spiffeId, digest]) => ({ spiffeId, digest })),
      policyEpoch: epoch,
      fastLaneSequence: context.lifecycle.sequence,
    }
  }

  /** The next stream brings everything. */
  forget(): void {
    const { context, digests } = this.#held
    for (const [spiffeId, digest] of digests) {
      const slice = context.slices.get(spiffeId)
      if (slice !== undefined) this.#before.set(spiffeId, { slice, digest })
    }
    this.#held = NOTHING
  }

  /**
   * The state after an update. Nothing of an update that cannot be read is taken.
   *
   * A slice that is older than the one held is passed over, and so is everything of an agent whose fast lane is behind what was heard
   * before: two policies that follow each other closely end in the same one, in whichever order they come.
   *
   * @throws {@link SallyportError} `POLICY_DOCUMENT_INVALID`, or what `compile` throws
   */
  read(update: PolicyUpdate, nowMs: number): PolicyContext {
    const { context } = this.#held
    const slices = this.#slicesAfter(update)
    const { lifecycle, epoch, events } = this.#lifecycleAfter(update)
    const next: PolicyContext = {
      slices: slices.all,
      lifecycle,
      lifecycleIndex: lifecycle === context.lifecycle ? context.lifecycleIndex : indexLifecycle(lifecycle),
      status: update.status ?? context.status,
      receivedAtMs: update.status === null ? context.receivedAtMs : nowMs,
      changed: { slices: slices.changed, fastLane: events },
    }
    this.#held = { context: next, digests: slices.digests, epoch }
    for (const spiffeId of slices.changed) this.#before.delete(spiffeId)
    if (isBehind(this.#newest, { epoch, sequence: lifecycle.sequence })) {
      this.#newest = { epoch, sequence: lifecycle.sequence }
    }
    return next
  }

  #slicesAfter({ slices, removedIdentities }: PolicyUpdate) {
    const { context, digests } = this.#held
    if (slices.length === 0 && removedIdentities.length === 0) return { all: context.slices, digests, changed: [] }
    const all = new Map(context.slices)
    const digestsAfter = new Map(digests)
    const changed: string[] = []
    for (const { slice, digest } of slices.map((signed) => this.#readSlice(signed))) {
      const { spiffeId } = slice.document
      const held = all.get(spiffeId)
      if (held !== undefined && isOlder(slice.document, held.document)) continue
      const before = held === undefined ? this.#before.get(spiffeId) : undefined
      const isBack = before !== undefined && isOlder(slice.document, before.slice.document)
      all.set(spiffeId, isBack ? before.slice : slice)
      digestsAfter.set(spiffeId, isBack ? before.digest : digest)
      // What was in force before is no change.
      if (!isBack) changed.push(spiffeId)
    }
    for (const spiffeId of removedIdentities) {
      if (!all.delete(spiffeId)) continue
      digestsAfter.delete(spiffeId)
      changed.push(spiffeId)
    }
    return { all, digests: digestsAfter, changed }
  }

  #readSlice({ content }: SignedSlice): ReadSlice {
    const document = readSlice(content)
    const { policy, members } = document
    const hasDrafts = [...policy.conduits, ...policy.rules].some(({ stage }) => stage === 'draft')
    const drafts = hasDrafts ? compile(policy, members, { withDrafts: true }) : undefined
    return { slice: { document, tables: compile(policy, members), drafts }, digest: this.#digest(content) }
  }

  #lifecycleAfter({ lifecycle: snapshot, fastLane }: PolicyUpdate) {
    const { context, epoch: heldEpoch } = this.#held
    let { lifecycle } = context
    let epoch = heldEpoch
    if (snapshot !== null) {
      const document = readLifecycle(snapshot.content)
      epoch = document.epoch
      lifecycle = { ...document.lifecycle, sequence: document.sequence }
    }
    const events = fastLane.map(({ content }) => readFastLaneEntry(content))
    for (const event of events) {
      if (event.sequence !== lifecycle.sequence + 1 || (event.epoch !== epoch && lifecycle.sequence > 0)) {
        throw gap(`entry ${event.sequence} came after ${lifecycle.sequence}`)
      }
      epoch = event.epoch
      lifecycle = applyFastLane(lifecycle, event)
    }
    const isNews = snapshot !== null || events.length > 0
    if (isNews && isBehind({ epoch, sequence: lifecycle.sequence }, this.#newest)) {
      throw gap(`the agent is at ${lifecycle.sequence}, and ${this.#newest.sequence} was heard before`)
    }
    return { lifecycle, epoch, events: snapshot === null ? events : ('all' as const) }
  }
}

interface Place {
  readonly epoch: number
  readonly sequence: number
}

const isBehind = (a: Place, b: Place): boolean => a.epoch < b.epoch || (a.epoch === b.epoch && a.sequence < b.sequence)

const isOlder = (a: SliceDocument, b: SliceDocument): boolean =>
  isBehind({ epoch: a.epoch, sequence: a.asOf }, { epoch: b.epoch, sequence: b.asOf })

const gap = (why: string): SallyportError =>
  new SallyportError('POLICY_DOCUMENT_INVALID', `Cannot follow the fast lane: ${why}`)
