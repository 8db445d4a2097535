import { sleepUnlessAborted } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import { agentDuplicated } from '../audit/agent-events.ts'
import type { DirectoryUpdate } from '../entries/directory.ts'
import type { AttestedAgent } from '../store/store.ts'
import type { Follower } from './follower.ts'
import { HEARTBEAT_MS, Heartbeats, type Beat } from './heartbeats.ts'
import type { AcknowledgedPolicy } from './policy-view.ts'
import { Polls } from './polls.ts'
import type { SyncDeps } from './sync-deps.ts'

/** How long a stream whose SVID was replaced may wait for the agent's next stream, which ends it without a complaint. */
const RENEWAL_GRACE_MS = 500

/** How long a refused agent has to take in why. */
const LAST_WORDS_MS = 500

/** What is known of an agent's connection. */
export interface AgentConnection {
  readonly spiffeId: SpiffeId
  readonly connected: boolean
  readonly acknowledgedRevision: number
  readonly lastSeen: Date | undefined
  readonly transport: 'push' | 'poll'
  /** What of policy it has confirmed on its present or last stream; undefined: it does not handle policy. */
  readonly policy: AcknowledgedPolicy | undefined
}

/** What the last stream of an agent left. */
interface Left {
  readonly acknowledged: number
  readonly at: Date
  readonly policy: AcknowledgedPolicy | undefined
}

/** All push streams: hands each change to the streams of the agents concerned, and knows what every agent has applied. */
export class Followers {
  readonly #deps: SyncDeps
  readonly #heartbeats: Heartbeats
  readonly #polls: Polls
  readonly #byAgent = new Map<string, Follower>()
  /** Streams that were replaced and are about to end are still re-authorised. */
  readonly #all = new Set<Follower>()
  readonly #left = new Map<string, Left>()
  #revision: number

  constructor(deps: SyncDeps) {
    this.#deps = deps
    this.#heartbeats = new Heartbeats(deps)
    this.#polls = new Polls(deps.clock)
    this.#revision = deps.directory.revision
  }

  /** Every change up to here has been handed to the streams that it concerns. */
  get revision(): number {
    return this.#revision
  }

  get connectedCount(): number {
    return this.#byAgent.size
  }

  /** How many revisions the slowest connected agent is behind. */
  get lag(): number {
    let least = this.#revision
    for (const follower of this.#byAgent.values()) least = Math.min(least, follower.acknowledgedRevision)
    return this.#revision - least
  }

  /** Hands on changes and heartbeats until stopped. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#runUpdates(signal), this.#runHeartbeats(signal), this.#runPolicy(signal)])
  }

  /** The first heartbeat of one stream. */
  firstBeat(nonce: Buffer): Promise<Beat> {
    return this.#heartbeats.first(this.#revision, nonce)
  }

  /** Takes a stream in; an older one of the same agent ends. */
  add(follower: Follower): Disposable {
    const { agentId } = follower
    const older = this.#byAgent.get(agentId)
    this.#byAgent.set(agentId, follower)
    this.#all.add(follower)
    if (older !== undefined) this.#replace(older, follower)
    let expiry: Disposable | undefined
    // Timers may fire a moment before the wall clock shows their time.
    const untilExpiry = (): void => {
      const left = msUntil(follower.caller.expiresAt, this.#deps.clock.now())
      if (left === 0) this.#recheck(follower)
      else expiry = this.#deps.clock.timer(left, untilExpiry)
    }
    untilExpiry()
    return {
      [Symbol.dispose]: () => {
        expiry?.[Symbol.dispose]()
        this.#all.delete(follower)
        if (this.#byAgent.get(agentId) !== follower) return
        this.#byAgent.delete(agentId)
        if (this.#deps.directory.agent(agentId) === undefined) return
        const { acknowledgedRevision: acknowledged, acknowledgedPolicy: policy } = follower
        this.#left.set(agentId, { acknowledged, at: this.#deps.clock.now(), policy })
      },
    }
  }

  // What agents have applied

  /** An agent that polls has fetched the own bundle of this sequence. */
  polledBundle(agentId: SpiffeId, sequenceNumber: number): void {
    const { directory, trustDomain } = this.#deps
    // One that was replaced meanwhile proves nothing about the current one; the next poll will.
    if (directory.bundle(trustDomain)?.sequenceNumber !== sequenceNumber) return
    this.#polls.fetched(agentId.toString(), directory.revision)
  }

  /** The live agents that have not acknowledged a revision. */
  missing(revision: number): readonly SpiffeId[] {
    const now = this.#deps.clock.now()
    const missing: SpiffeId[] = []
    for (const agent of this.#deps.directory.agents()) {
      if (isLive(agent, now) && this.acknowledgedRevision(agent.spiffeId.toString()) < revision) {
        missing.push(agent.spiffeId)
      }
    }
    return missing
  }

  /** The live agents that nothing has been heard of since this server started: what they hold is not known. */
  unheard(): readonly SpiffeId[] {
    const now = this.#deps.clock.now()
    const unheard: SpiffeId[] = []
    for (const agent of this.#deps.directory.agents()) {
      const id = agent.spiffeId.toString()
      const isHeard = this.#byAgent.has(id) || this.#left.has(id) || this.#polls.lastPoll(id) !== undefined
      if (!isHeard && isLive(agent, now)) unheard.push(agent.spiffeId)
    }
    return unheard
  }

  acknowledgedRevision(agentId: string): number {
    const pushed = this.#byAgent.get(agentId)?.acknowledgedRevision ?? this.#left.get(agentId)?.acknowledged ?? 0
    return Math.max(pushed, this.#polls.appliedRevision(agentId))
  }

  statuses(): readonly AgentConnection[] {
    const now = this.#deps.clock.now()
    const ids = new Set([...this.#byAgent.keys(), ...this.#left.keys(), ...this.#polls.ids()])
    return [...ids].map((id): AgentConnection => {
      const connected = this.#byAgent.has(id)
      const polled = this.#polls.lastPoll(id)
      return {
        spiffeId: SpiffeId.parse(id),
        connected,
        acknowledgedRevision: this.acknowledgedRevision(id),
        lastSeen: connected ? now : latest(this.#left.get(id)?.at, polled),
        transport: !connected && polled !== undefined ? 'poll' : 'push',
        policy: this.#byAgent.get(id)?.acknowledgedPolicy ?? this.#left.get(id)?.policy,
      }
    })
  }

  // Changes

  async #runUpdates(signal: AbortSignal): Promise<void> {
    const { directory } = this.#deps
    const updates = directory.watch(signal)
    try {
      let next = updates.next()
      // What was committed before this began to listen (authorities are published while the server opens) is news as well.
      this.#hear({ revision: directory.revision, concerned: 'all', changes: [] })
      for (let { done, value } = await next; done !== true; { done, value } = await next) {
        for (const update of value) this.#hear(update)
        next = updates.next()
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      // Else updates would pile up for a loop that has ended.
      void updates.return(undefined)
    }
  }

  #hear(update: DirectoryUpdate): void {
    this.#revision = Math.max(this.#revision, update.revision)
    if (update.concerned === 'all') {
      for (const follower of this.#all) {
        if (this.#maySee(follower.agentId)) follower.mark({ view: true, bundles: true, entryIds: new Set() })
      }
      this.#recheckAll()
      return
    }
    for (const [agentId, concern] of update.concerned) {
      if (this.#maySee(agentId)) this.#byAgent.get(agentId)?.mark(concern)
    }
    for (const change of update.changes) {
      if (change.kind === 'agent') this.#hearOfAgent(change.spiffeId.toString(), change.after)
      else if (change.kind === 'bundle' && change.trustDomain === this.#deps.trustDomain.name) this.#recheckAll()
    }
  }

  /**
   * Who was banned or evicted is told so by the end of its stream and hears nothing before: an empty view would make it withdraw
   * what is valid until it expires.
   */
  #maySee(agentId: string): boolean {
    return this.#deps.directory.agent(agentId)?.banned === false
  }

  #hearOfAgent(agentId: string, after: AttestedAgent | undefined): void {
    if (after === undefined) {
      this.#left.delete(agentId)
      this.#polls.forget(agentId)
    }
    for (const follower of this.#all) if (follower.agentId === agentId) this.#recheck(follower)
  }

  async #runPolicy(signal: AbortSignal): Promise<void> {
    const { policy } = this.#deps
    if (policy === undefined) return
    try {
      for await (const news of policy.book.watch(signal)) {
        for (const follower of this.#all) if (this.#maySee(follower.agentId)) follower.markPolicy(news)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #runHeartbeats(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    while (!signal.aborted) {
      try {
        const beat = await this.#heartbeats.beat(this.#revision)
        const now = clock.now()
        for (const follower of this.#all) {
          follower.beat(beat)
          // The timer cannot know of a wall clock that jumps.
          if (follower.caller.expiresAt <= now) this.#recheck(follower)
        }
      } catch (error) {
        log.error({ err: error }, 'Cannot make a heartbeat')
      }
      await sleepUnlessAborted(clock, HEARTBEAT_MS, signal)
    }
  }

  // Who may go on (SE-10)

  #recheckAll(): void {
    for (const follower of this.#all) this.#recheck(follower)
  }

  #recheck(follower: Follower): void {
    this.#refusalOf(follower).then(
      (refusal) => {
        if (refusal !== undefined) this.#endRefused(follower, refusal)
      },
      (error: unknown) => {
        this.#deps.log.error({ agentId: follower.agentId, err: error }, 'Cannot check the agent of a stream')
        follower.end(new SallyportError('NOT_READY', 'Cannot check the agent of this stream at the moment'))
      },
    )
  }

  async #refusalOf(follower: Follower): Promise<SallyportError | undefined> {
    return follower.isEnded ? undefined : this.#deps.refusalOf(follower.call)
  }

  #endRefused(follower: Follower, refusal: SallyportError): void {
    const agent = this.#deps.directory.agent(follower.agentId)
    const wasRenewed = agent !== undefined && !agent.banned && agent.serialNumber !== follower.caller.serialNumber
    // The first call with a renewed SVID replaces the serial; the stream that follows it ends this one.
    if (wasRenewed) this.#deps.clock.timer(RENEWAL_GRACE_MS, () => this.#end(follower, refusal))
    else this.#end(follower, refusal)
  }

  /** An agent that does not read cannot be told that its stream has ended: its connection is closed instead. */
  #end(follower: Follower, refusal: SallyportError): void {
    follower.end(refusal)
    this.#deps.clock.timer(LAST_WORDS_MS, () => {
      if (this.#all.has(follower)) this.#deps.disconnect(follower.call.connection)
    })
  }

  #replace(older: Follower, newer: Follower): void {
    const { agentId } = newer
    const isGone = older.isEnded || older.call.signal.aborted || older.call.connection.closed.aborted
    const isRenewal = older.caller.serialNumber !== newer.caller.serialNumber
    const isSameConnection = older.call.connection === newer.call.connection
    if (!isGone && !isRenewal && !isSameConnection) this.#alarm(older, newer)
    older.end(
      new SallyportError('STREAM_SUPERSEDED', `Cannot go on with this stream: ${agentId} has opened a newer one`),
    )
  }

  /** One identity in two places: a lost connection that nobody noticed, or a stolen key. */
  #alarm(older: Follower, newer: Follower): void {
    const { log, store, clock, duplicateStreams } = this.#deps
    const { agentId } = newer
    const addresses = [older.caller.address, newer.caller.address]
    log.warn({ agentId, addresses }, 'One agent identity was on two streams, ended the older one')
    duplicateStreams.add()
    store
      .commit({ mutations: [], audit: [agentDuplicated(clock.now(), newer.caller.spiffeId, addresses)] })
      .catch((error: unknown) => log.error({ agentId, err: error }, 'Cannot record an alarm'))
  }
}

const isLive = (agent: AttestedAgent, now: Date): boolean =>
  !agent.banned && (agent.expiresAt > now || (agent.pendingExpiresAt !== undefined && agent.pendingExpiresAt > now))

const msUntil = (instant: Date, now: Date): number => Math.max(0, instant.getTime() - now.getTime())

const latest = (a: Date | undefined, b: Date | undefined): Date | undefined =>
  a === undefined || (b !== undefined && b > a) ? b : a
