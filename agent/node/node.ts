import type { Bundle } from '../../src/bundle/bundle.ts'
import { bundleSetOf, type BundleSet } from '../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../src/errors.ts'
import type { VerifiedHeartbeat } from '../upstream/heartbeats.ts'
import { grpcStatusOf, refusalOf } from '../upstream/refusal.ts'
import type { ServerLink } from '../upstream/server-link.ts'
import { backoffMs } from '../upstream/timing.ts'
import { CLOCK_SKEW_WARNING_MS } from '../upstream/trusted-clock.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { keepCheckpoint } from './checkpoints.ts'
import type { Holdings } from './holdings.ts'
import { identityFromSaved, join, renew, type AgentIdentity, type JoinDeps } from './join.ts'
import type { NodeStatus } from './node-status.ts'
import type { PolicyHoldings } from './policy-holdings.ts'
import { emptyNode, type SavedNode, type SavedState } from './saved-state.ts'
import { pollSession, pushSession, type SessionDeps } from './sessions.ts'
import type { View } from './view.ts'

/** Which kind of server is at the other end; `auto` finds out, and remembers that it pushed. */
export type ServerKind = 'auto' | 'sallyport' | 'spire'

export interface NodeDeps extends JoinDeps {
  readonly upstream: Upstream
  readonly link: Pick<ServerLink, 'use'>
  readonly saved: SavedState
  readonly holdings: Holdings
  readonly view: View
  readonly policy: PolicyHoldings
  readonly status: NodeStatus
  readonly serverKind: ServerKind
  readonly serverAddress: string
  readonly heartbeatMs: number
  readonly pollMs: number
  /** What to trust before anything was learned from the server, for this connection. */
  readonly bootstrapBundle: (signal: AbortSignal) => Promise<Bundle | undefined>
  /** The server can be asked again. */
  readonly onConnected: () => void
  /** The time is not what it seemed to be. */
  readonly onClockJump: () => void
}

const RETRY_FIRST_MS = 1_000
const RETRY_MOST_MS = 30_000
/** A ban is lifted by a person; so is the lack of a token. */
const REFUSED_RETRY_FIRST_MS = 15_000
const REFUSED_RETRY_MOST_MS = 300_000
/** An agent SVID that expires this soon would be refused on arrival. */
const EXPIRY_MARGIN_MS = 2_000
/** Checkpoints and the server's time are saved this often; they change with every heartbeat. */
const SAVE_EVERY_MS = 60_000
/** A step of the wall clock that is no drift. */
const CLOCK_JUMP_MS = 5_000
/** The longest sleep until renewal: how late a jump of the wall clock is noticed while no heartbeat comes. */
const LONGEST_SLEEP_MS = 30_000

/**
 * The node's membership: joins, stays connected and in sync, renews its own SVID, and finds back from whatever goes wrong. A call
 * that fails never makes it drop what is still valid.
 */
export class Node {
  readonly #deps: NodeDeps
  #saved: SavedNode = emptyNode
  #identity: AgentIdentity | undefined
  #bootstrap: Bundle | undefined
  #mustReattest = false
  #savedAtMs = 0
  #lastSkewMs: number | undefined
  #isWarned = false

  constructor(deps: NodeDeps) {
    this.#deps = deps
  }

  get identity(): AgentIdentity | undefined {
    return this.#identity
  }

  get checkpoints(): SavedNode['checkpoints'] {
    return this.#saved.checkpoints
  }

  /** Bundles that may vouch for the server: what the agent has learned, then what it was given. */
  async *candidates(signal: AbortSignal): AsyncGenerator<BundleSet> {
    const { holdings, bootstrapBundle } = this.#deps
    if (holdings.ownBundle !== undefined) yield holdings.bundles
    // Read again after each failure: an administrator repairs a lost agent by replacing the file.
    this.#bootstrap ??= await bootstrapBundle(signal)
    if (this.#bootstrap !== undefined) yield bundleSetOf([this.#bootstrap])
  }

  /** Takes up what was saved, so that what is still valid is served at once. Damaged files are named and left out. */
  async restore(): Promise<void> {
    const { saved, log, view, clock, random } = this.#deps
    await saved.makeFolder()
    try {
      this.#saved = await saved.readNode()
      if (this.#saved.serverTime !== undefined) clock.observe(this.#saved.serverTime)
      if (this.#saved.identity !== undefined) this.#identity = identityFromSaved(this.#saved.identity, random)
    } catch (error) {
      log.error({ err: error }, 'The saved identity of this agent cannot be used')
    }
    try {
      const held = await saved.readView()
      if (held !== undefined) view.restore(held)
    } catch (error) {
      log.error({ err: error }, 'The saved entries of this agent cannot be used')
    }
    if (this.#identity !== undefined) this.#useIdentity(this.#identity)
  }

  /** Joins and stays in sync until the signal aborts. */
  async run(signal: AbortSignal): Promise<never> {
    for (let failures = 0; ;) {
      try {
        if (!this.#isMember()) await this.#join(signal)
        await this.#stay(() => (failures = 0), signal)
      } catch (error) {
        signal.throwIfAborted()
        failures++
        await this.#deps.clock.sleep(this.#pauseAfter(error, failures), signal)
      }
    }
  }

  /** Saves what changes with every heartbeat; for the end of the process. */
  async flush(): Promise<void> {
    await this.#save({})
  }

  #isMember(): boolean {
    return (
      this.#identity !== undefined &&
      !this.#mustReattest &&
      this.#identity.notAfter.getTime() - EXPIRY_MARGIN_MS > this.#deps.clock.now().getTime()
    )
  }

  async #join(signal: AbortSignal): Promise<void> {
    const { status, link, view, policy, holdings, log } = this.#deps
    status.set('attesting', status.reason)
    // An SVID that is expired or refused would end the connection before anything can be proved.
    link.use(undefined)
    const { identity, bundle, spentToken } = await join(
      this.#saved,
      this.#deps,
      (attempt) => this.#save({ attempt }),
      signal,
    )
    const before = this.#identity?.spiffeId
    if (before !== undefined && !before.equals(identity.spiffeId)) {
      view.forget()
      await policy.forget()
    }
    if (holdings.ownBundle === undefined) {
      holdings.apply({ entries: [], removedEntryIds: [], bundles: [bundle], removedTrustDomains: [] })
    }
    this.#identity = identity
    this.#mustReattest = false
    const home = { trustDomain: this.#deps.trustDomain.name, serverAddress: this.#deps.serverAddress }
    await this.#save({ home, identity, spentToken, attempt: undefined })
    this.#useIdentity(identity)
    log.info({ agentId: identity.spiffeId, expiresAt: identity.notAfter }, 'Attested')
  }

  #useIdentity({ chain, privateKey }: AgentIdentity): void {
    this.#deps.link.use({ chain, privateKey })
  }

  /** One session after the other; a renewed SVID opens the next one before the last is closed. */
  async #stay(onEstablished: () => void, signal: AbortSignal): Promise<never> {
    const stop = new AbortController()
    const all = AbortSignal.any([signal, stop.signal])
    try {
      for (let session = this.#openSession(onEstablished, all); ;) {
        await Promise.race([session.ended, handled(this.#renewWhenDue(all))])
        const next = this.#openSession(onEstablished, all)
        await Promise.race([next.established, next.ended])
        session.stop()
        session = next
      }
    } finally {
      stop.abort(new SallyportError('SERVER_UNREACHABLE', 'The connection was given up'))
    }
  }

  #openSession(
    onEstablished: () => void,
    signal: AbortSignal,
  ): { readonly established: Promise<void>; readonly ended: Promise<never>; stop(): void } {
    const { status } = this.#deps
    if (!status.isInSync) status.set('connecting', status.reason)
    const established = Promise.withResolvers<void>()
    const stop = new AbortController()
    const onInSync = (transport: 'push' | 'poll'): void => {
      onEstablished()
      established.resolve()
      this.#inSync(transport)
    }
    const ended = handled(this.#session(onInSync, AbortSignal.any([signal, stop.signal])))
    return { established: established.promise, ended, stop: () => stop.abort(new Error('replaced by a newer session')) }
  }

  /** Push, or polls where push is unknown and may be done without (SE-11). */
  async #session(onInSync: SessionDeps['onInSync'], signal: AbortSignal): Promise<never> {
    const { serverKind, log, status } = this.#deps
    const deps: SessionDeps = {
      ...this.#deps,
      onInSync,
      onHeartbeat: (heartbeat) => this.#onHeartbeat(heartbeat),
      onPollFailed: (error) => {
        status.set('stale', reasonOf(error))
        log.warn({ err: error }, 'Polling failed')
      },
    }
    for (;;) {
      if (serverKind !== 'spire') {
        try {
          await pushSession(deps, signal)
        } catch (error) {
          if (grpcStatusOf(error) !== 'UNIMPLEMENTED') throw error
          if (serverKind === 'sallyport' || this.#saved.pushSeen) throw pushWithdrawn(error)
          log.warn({}, 'The server does not push; polling it')
        }
      }
      await pollSession(deps, signal)
    }
  }

  #inSync(transport: 'push' | 'poll'): void {
    const { status, clock, log, onConnected, view } = this.#deps
    const wasInSync = status.isInSync
    status.set('in-sync')
    status.transport = transport
    status.lastSync = clock.now()
    status.revision = view.revision
    if (transport === 'push' && !this.#saved.pushSeen) this.#saveLater({ pushSeen: true })
    if (wasInSync) return
    log.info({ transport, revision: view.revision }, 'In sync with the server')
    onConnected()
  }

  #onHeartbeat(heartbeat: VerifiedHeartbeat): void {
    const { clock, status, view, log } = this.#deps
    clock.observe(heartbeat.serverTime)
    status.lastHeartbeat = clock.now()
    status.revision = view.revision
    this.#watchSkew()
    const checkpoints = keepCheckpoint(this.#saved.checkpoints, heartbeat, log)
    this.#saved = { ...this.#saved, checkpoints }
    if (clock.monotonicMs() - this.#savedAtMs >= SAVE_EVERY_MS) this.#saveLater({})
  }

  #watchSkew(): void {
    const { clock, log, onClockJump } = this.#deps
    const { skewMs } = clock
    if (this.#lastSkewMs !== undefined && Math.abs(skewMs - this.#lastSkewMs) > CLOCK_JUMP_MS) {
      log.warn({ skewMs }, 'The clock of this machine has jumped')
      onClockJump()
    }
    this.#lastSkewMs = skewMs
    const isFar = Math.abs(skewMs) > CLOCK_SKEW_WARNING_MS
    if (isFar && !this.#isWarned) log.warn({ skewMs }, 'The clock of this machine differs from that of the server')
    this.#isWarned = isFar
  }

  /** Resolves once the agent's SVID has been renewed; rejects when it expired before that could be done. */
  async #renewWhenDue(signal: AbortSignal): Promise<void> {
    const { clock, random, log, holdings } = this.#deps
    for (let failures = 0; ;) {
      const identity = this.#identity
      if (identity === undefined || !this.#isMember())
        throw new SallyportError('NOT_READY', 'The SVID of this agent has expired')
      const waitMs = identity.renewAt.getTime() - clock.now().getTime()
      if (waitMs > 0) {
        await clock.sleep(Math.min(waitMs, LONGEST_SLEEP_MS), signal)
        continue
      }
      try {
        const bundle = holdings.ownBundle ?? (await this.#deps.upstream.fetchBundle(signal))
        const renewed = await renew(identity, bundle, this.#deps, signal)
        // Saved before it is used: using it makes the server forget the old one.
        await this.#save({ identity: renewed })
        this.#identity = renewed
        this.#useIdentity(renewed)
        log.info({ agentId: renewed.spiffeId, expiresAt: renewed.notAfter }, 'Renewed the SVID of this agent')
        return
      } catch (error) {
        signal.throwIfAborted()
        if (refusalOf(error) !== undefined) throw error
        failures++
        log.warn({ err: error }, 'The SVID of this agent could not be renewed')
        await clock.sleep(backoffMs(failures, RETRY_FIRST_MS, RETRY_MOST_MS, random), signal)
      }
    }
  }

  /** What a failure means, and how long to wait before the next attempt. */
  #pauseAfter(error: unknown, failures: number): number {
    const { status, log, random } = this.#deps
    const refusal = refusalOf(error)
    const grpc = grpcStatusOf(error)
    const isRefused = refusal !== undefined || grpc === 'PERMISSION_DENIED' || grpc === 'FAILED_PRECONDITION'
    if (refusal === 'banned') {
      status.set('banned', `${reasonOf(error)}. Identities that are still valid are served until they expire`)
      log.error({ err: error, agentId: this.#identity?.spiffeId }, 'The server has banned this agent')
      return backoffMs(failures, REFUSED_RETRY_FIRST_MS, REFUSED_RETRY_MOST_MS, random)
    }
    if (refusal === 'must-reattest' || grpc === 'UNAUTHENTICATED') {
      const already = this.#mustReattest
      this.#mustReattest = true
      if (!already) {
        status.set('connecting', reasonOf(error))
        log.warn({ err: error }, 'The server asks this agent to attest again')
        return backoffMs(1, RETRY_FIRST_MS, RETRY_FIRST_MS, random)
      }
    }
    status.set(isRefused && !this.#isMember() ? 'refused' : 'stale', reasonOf(error))
    log.warn({ err: error, failures }, 'Not in sync with the server')
    this.#bootstrap = undefined
    // What is silent may hang on a connection that only looks alive.
    if (this.#identity !== undefined && this.#isMember()) this.#useIdentity(this.#identity)
    return isRefused
      ? backoffMs(failures, REFUSED_RETRY_FIRST_MS, REFUSED_RETRY_MOST_MS, random)
      : backoffMs(failures, RETRY_FIRST_MS, RETRY_MOST_MS, random)
  }

  async #save(changes: Partial<SavedNode>): Promise<void> {
    const { clock, saved } = this.#deps
    this.#saved = { ...this.#saved, ...changes, serverTime: clock.floor ?? this.#saved.serverTime }
    this.#savedAtMs = clock.monotonicMs()
    // One after the other: the last one to be asked for is the one that stays.
    this.#writing = this.#writing.then(() => saved.writeNode(this.#saved))
    const writing = this.#writing
    this.#writing = handled(writing).catch(() => undefined)
    await writing
  }
  #writing: Promise<void> = Promise.resolve()

  #saveLater(changes: Partial<SavedNode>): void {
    this.#save(changes).catch((error: unknown) =>
      this.#deps.log.error({ err: error }, 'The state of this agent could not be saved'),
    )
  }
}

/** A promise that others will look at later: its rejection is not lost, only not reported before they do. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const pushWithdrawn = (cause: unknown): SallyportError =>
  new SallyportError(
    'SERVER_UNREACHABLE',
    'The server does not offer push any more, or something in between answers for it',
    {
      cause,
      hint: 'If it is a SPIRE server now, say `serverKind: spire` in the configuration of the agent.',
    },
  )
