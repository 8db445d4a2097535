import type { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import type { Ack, HeldPolicy, Hello, ServerMessage } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { AgentCaller } from '../access/caller.ts'
import type { Concern } from '../entries/concern.ts'
import { Wake } from '../entries/wake.ts'
import type { PolicyNews } from '../policy/policy-book.ts'
import type { Revision } from '../store/store.ts'
import { AgentView } from './agent-view.ts'
import type { Beat } from './heartbeats.ts'
import { deltaMessage, snapshotMessages } from './messages.ts'
import { Outstanding } from './outstanding.ts'
import { PolicyView, type AcknowledgedPolicy } from './policy-view.ts'
import { resumeChange } from './resume.ts'
import type { SyncDeps } from './sync-deps.ts'

const NO_IDENTITIES: ReadonlySet<string> = new Set()

/** A second whole view is sent no sooner than this after the first, should an agent disagree with what it was sent. */
const RESYNC_PAUSE_MS = 5000

export interface FollowerOptions {
  readonly call: Call
  readonly caller: AgentCaller
  /** What of policy the agent holds; undefined: it does not handle policy. */
  readonly held?: HeldPolicy | undefined
  /** The revision that followers have heard of: the directory may be ahead of it. */
  readonly revisionNow: () => number
}

/**
 * One agent's push stream: what the agent was told, what it may lack, what it has acknowledged. Changes only mark what may differ; the
 * difference is computed when the stream has room for it, so a slow agent gets fewer and larger deltas and costs no queue.
 */
export class Follower {
  readonly call: Call
  readonly caller: AgentCaller
  readonly agentId: string
  readonly wake = new Wake()
  readonly #deps: SyncDeps
  readonly #revisionNow: () => number
  #view: AgentView | undefined
  #outstanding = new Outstanding(0)
  /** The agent has been told everything up to here. */
  #told = 0
  #pending: Concern | undefined
  #beat: Beat | undefined
  #firstBeat: Beat | undefined
  #sentFirst = false
  readonly #policy: PolicyView | undefined
  #slices: AsyncGenerator<Sent<ServerMessage>> | undefined
  #chunks: Generator<Sent<ServerMessage>> | undefined
  #resyncAtMs: number | undefined
  #lastSnapshotMs = Number.NEGATIVE_INFINITY
  #ended: SallyportError | undefined
  #closed = false

  constructor(deps: SyncDeps, { call, caller, held, revisionNow }: FollowerOptions) {
    this.#deps = deps
    this.#revisionNow = revisionNow
    this.call = call
    this.caller = caller
    this.agentId = caller.spiffeId.toString()
    this.#policy = this.#policyView(held)
  }

  /** The agent has closed its side. */
  get isClosed(): boolean {
    return this.#closed
  }

  close(): void {
    this.#closed = true
    this.wake.wake()
  }

  get isEnded(): boolean {
    return this.#ended !== undefined
  }

  /** Up to which revision the agent is known to have applied everything that concerns it. */
  get acknowledgedRevision(): number {
    const isCurrent =
      this.#view !== undefined && this.#outstanding.isEmpty && this.#pending === undefined && this.#chunks === undefined
    return isCurrent ? Math.max(this.#told, this.#revisionNow()) : this.#outstanding.acknowledged
  }

  /** What of policy the agent has confirmed; undefined: it does not handle policy. */
  get acknowledgedPolicy(): AcknowledgedPolicy | undefined {
    return this.#policy?.acknowledged
  }

  #policyView(held: HeldPolicy | undefined): PolicyView | undefined {
    const { policy, clock, log } = this.#deps
    if (policy === undefined || held === undefined) return undefined
    const identities = (): ReadonlySet<string> => this.#view?.spiffeIds ?? NO_IDENTITIES
    const { agentId } = this
    return new PolicyView(held, { policy, agentId, identities, clock, log, wake: () => this.wake.wake() })
  }

  /** Prepares the first messages: what the agent lacks, or everything. */
  start(hello: Hello, revisions: readonly Revision[] | undefined): void {
    const { trustDomain, directory, store } = this.#deps
    const view = new AgentView(this.agentId, trustDomain.name, directory)
    this.#view = view
    // Whatever was marked until now is in the view already.
    this.#pending = undefined
    const revision = this.#revisionNow()
    const isSameStore = hello.revision > 0 && hello.epoch === store.epoch && hello.revision <= revision
    const change = isSameStore ? resumeChange(this.agentId, hello, view, revisions, directory) : undefined
    const message = change && deltaMessage(change, { from: hello.revision, to: revision, digest: view.digest })
    if (message === undefined) return this.#snapshot()
    this.#outstanding = new Outstanding(hello.revision)
    this.#outstanding.sent(revision, view.digest)
    this.#told = revision
    this.#chunks = [message].values() as Generator<Sent<ServerMessage>>
  }

  /** Notes what may differ from what the agent was told. */
  mark(concern: Concern): void {
    if (this.#view === undefined) return
    this.#pending ??= { view: false, bundles: false, entryIds: new Set() }
    this.#pending.view ||= concern.view
    this.#pending.bundles ||= concern.bundles
    for (const id of concern.entryIds) this.#pending.entryIds.add(id)
    this.wake.wake()
  }

  /** Notes what of policy may differ from what the agent was told. */
  markPolicy(news: PolicyNews): void {
    if (this.#policy?.mark(news) === true) this.wake.wake()
  }

  /** The one with the nonce goes before those for all. */
  beatFirst(beat: Beat): void {
    this.#firstBeat = beat
    this.wake.wake()
  }

  beat(beat: Beat): void {
    this.#beat = beat
    this.wake.wake()
  }

  acknowledge({ revision, digest, policy }: Ack): void {
    if (policy !== null) this.#policy?.acknowledge(policy)
    if (!this.#outstanding.acknowledge(revision, digest)) {
      this.#deps.log.warn(
        { agentId: this.agentId, revision },
        'An agent holds something else than it was sent, sending all',
      )
      this.#resyncLater()
    }
    this.wake.wake()
  }

  /** Lets the stream end with this error before anything else is sent. */
  end(error: SallyportError): void {
    this.#ended ??= error
    this.wake.wake()
  }

  /**
   * The next message, or undefined when there is nothing to say.
   *
   * @throws {@link SallyportError} why the stream ends
   */
  next(): Sent<ServerMessage> | undefined {
    if (this.#ended !== undefined) throw this.#ended
    const chunk = this.#nextChunk()
    if (chunk !== undefined) return chunk
    if (this.#resyncAtMs !== undefined && this.#now() >= this.#resyncAtMs) {
      this.#snapshot()
      return this.#nextChunk()
    }
    const delta = this.#nextDelta()
    if (delta !== undefined) return delta
    // A heartbeat says "you hold everything up to this revision": not while something is left to be told.
    return this.#pending === undefined && this.#policy?.isPending !== true && this.#slices === undefined
      ? this.#nextBeat()
      : undefined
  }

  /**
   * The next message of policy, the fast lane before slices; undefined when there is nothing to say.
   *
   * @throws {@link SallyportError} why the stream ends
   */
  async nextPolicy(): Promise<Sent<ServerMessage> | undefined> {
    const policy = this.#policy
    if (policy === undefined || this.#view === undefined) return undefined
    if (this.#ended !== undefined) throw this.#ended
    const fastLane = await policy.nextFastLane()
    if (fastLane !== undefined) return fastLane
    this.#slices ??= policy.nextSlices()
    const { done, value } = await this.#slices.next()
    if (done === true) this.#slices = undefined
    return done === true ? undefined : value
  }

  #nextChunk(): Sent<ServerMessage> | undefined {
    const next = this.#chunks?.next()
    if (next === undefined || next.done !== true) return next?.value
    this.#chunks = undefined
    return undefined
  }

  #nextDelta(): Sent<ServerMessage> | undefined {
    if (this.#pending === undefined || this.#view === undefined) return undefined
    const concern = this.#pending
    this.#pending = undefined
    const from = this.#told
    const to = this.#revisionNow()
    const change = this.#view.update(concern)
    if (change !== undefined) this.#policy?.markIdentities()
    // Nothing to say leaves the agent where it was told to be: the next delta starts there.
    if (change === undefined) return undefined
    this.#told = to
    const digest = this.#view.digest
    const message = deltaMessage(change, { from, to, digest })
    if (message !== undefined) {
      this.#outstanding.sent(to, digest)
      return message
    }
    this.#snapshot()
    return this.#nextChunk()
  }

  #nextBeat(): Sent<ServerMessage> | undefined {
    const beat = this.#firstBeat ?? (this.#sentFirst ? this.#beat : undefined)
    if (beat === undefined) return undefined
    if (beat === this.#firstBeat) this.#firstBeat = undefined
    else this.#beat = undefined
    this.#sentFirst = true
    this.#told = Math.max(this.#told, beat.revision)
    return beat.message
  }

  #resyncLater(): void {
    const now = this.#now()
    this.#resyncAtMs ??= Math.max(now, this.#lastSnapshotMs + RESYNC_PAUSE_MS)
    if (this.#resyncAtMs > now) this.#deps.clock.timer(this.#resyncAtMs - now, () => this.wake.wake())
  }

  #snapshot(): void {
    const view = this.#view
    if (view === undefined) return
    view.refill()
    this.#policy?.markIdentities()
    this.#pending = undefined
    this.#resyncAtMs = undefined
    this.#lastSnapshotMs = this.#now()
    const revision = this.#revisionNow()
    const { digest, entries, bundles } = view
    this.#outstanding.clear()
    this.#outstanding.sent(revision, digest)
    this.#told = revision
    this.#chunks = snapshotMessages({ revision, epoch: this.#deps.store.epoch, entries, bundles, digest })
  }

  #now(): number {
    return this.#deps.clock.monotonicMs()
  }
}
