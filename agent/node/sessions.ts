import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import { VERSION } from '../../src/version.ts'
import type { Follow } from '../upstream/follow.ts'
import type { VerifiedHeartbeat } from '../upstream/heartbeats.ts'
import { grpcStatusOf } from '../upstream/refusal.ts'
import { backoffMs, drawnFrom, type Random } from '../upstream/timing.ts'
import type { TrustedClock } from '../upstream/trusted-clock.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Holdings } from './holdings.ts'
import type { PolicyHoldings } from './policy-holdings.ts'
import type { View } from './view.ts'

const NONCE_BYTES = 32
/** Three heartbeats missed. */
const STALE_AFTER_HEARTBEATS = 3
/** After something was refused it is asked for again: what the server says of it may be right by then. */
const DOUBT_MS = 60_000
const POLL_SPREAD = 0.1
const POLL_BACKOFF_MOST_MS = 240_000
/** A server that could not push may have been replaced by one that can. */
const POLLING_ENDS_MS = 10 * 60_000

export interface SessionDeps {
  readonly upstream: Upstream
  readonly view: View
  readonly holdings: Holdings
  readonly policy: PolicyHoldings
  readonly clock: TrustedClock
  readonly random: Random
  readonly log: Log
  readonly heartbeatMs: number
  readonly pollMs: number
  readonly onHeartbeat: (heartbeat: VerifiedHeartbeat) => void
  /** What is held is now what the server says. */
  readonly onInSync: (transport: 'push' | 'poll') => void
  readonly onPollFailed: (error: unknown) => void
}

/** Follows the push stream until it fails. */
export async function pushSession(deps: SessionDeps, signal: AbortSignal): Promise<never> {
  const { upstream, view, policy, clock, random, heartbeatMs } = deps
  const ended = new AbortController()
  const hello = view.settled
  const stream = upstream.follow(
    {
      ...hello,
      agentVersion: VERSION,
      nonce: random(NONCE_BYTES),
      policy: deps.policy.held,
      staleAfterMs: STALE_AFTER_HEARTBEATS * heartbeatMs,
    },
    AbortSignal.any([signal, ended.signal]),
  )
  const settling = new Settling(deps, stream, (error) => ended.abort(error))
  let doubt: Disposable | undefined
  try {
    for await (const state of stream.states) {
      if (state.kind === 'policy') {
        if (!(await policy.apply(state.pushed))) doubt ??= clock.timer(DOUBT_MS, () => ended.abort(inDoubt()))
        settling.addPolicy()
        continue
      }
      if (state.kind === 'heartbeat') {
        // An agent that refused something holds less than the server thinks: no heartbeat makes that the newest.
        if (doubt === undefined) policy.observe(state)
        view.advance(state.revision, state.epoch)
        deps.onHeartbeat(state)
        // Before anything was ever held, a heartbeat says that the server lives, not that nothing is entitled.
        if (hello.revision > 0) deps.onInSync('push')
        continue
      }
      const sequence = state.kind === 'snapshot' ? view.applySnapshot(state) : view.applyDelta(state)
      deps.onInSync('push')
      if (sequence !== undefined) settling.add(sequence)
    }
  } catch (error) {
    throw ended.signal.aborted ? ended.signal.reason : error
  } finally {
    doubt?.[Symbol.dispose]()
    ended.abort(new SallyportError('SERVER_UNREACHABLE', 'The push stream has ended'))
  }
  throw new SallyportError('SERVER_UNREACHABLE', 'The server ended the push stream')
}

const inDoubt = (): SallyportError =>
  new SallyportError('SYNC_MISMATCH', 'Cannot follow the policy: something of it was refused, so it is asked for again')

/** Saves and delivers what was applied, then acknowledges it; what arrives meanwhile is settled together. */
class Settling {
  readonly #deps: SessionDeps
  readonly #stream: Follow
  readonly #onFailed: (error: unknown) => void
  #next: number | undefined
  #hasPolicy = false
  #policySettled = Promise.resolve()
  #working = false

  constructor(deps: SessionDeps, stream: Follow, onFailed: (error: unknown) => void) {
    this.#deps = deps
    this.#stream = stream
    this.#onFailed = onFailed
  }

  add(sequence: number): void {
    this.#next = sequence
    if (!this.#working) void this.#work()
  }

  /** By itself: an entry of the fast lane waits for no entries and bundles. */
  addPolicy(): void {
    if (this.#hasPolicy) return
    this.#hasPolicy = true
    this.#policySettled = this.#policySettled.then(() => this.#saving(() => this.#settlePolicy()))
  }

  async #work(): Promise<void> {
    this.#working = true
    await this.#saving(async () => {
      while (this.#next !== undefined) {
        const sequence = this.#next
        const state = this.#deps.view.current
        this.#next = undefined
        await this.#deps.view.settle(state, sequence)
        this.#stream.acknowledge(state.revision, state.digest)
      }
    })
    this.#working = false
  }

  async #settlePolicy(): Promise<void> {
    // What is applied from here on is acknowledged with the next one.
    this.#hasPolicy = false
    this.#stream.acknowledgePolicy(await this.#deps.policy.settle())
  }

  async #saving(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      // Most likely a full disk. Nothing is acknowledged that would be lost; a new stream tries again.
      this.#deps.log.error({ err: error }, 'What the server pushed could not be saved')
      this.#onFailed(error)
    }
  }
}

/** Polls by SPIRE's calls, for a server without the push stream; ends after a while so that push is tried again. */
export async function pollSession(deps: SessionDeps, signal: AbortSignal): Promise<void> {
  const { upstream, view, holdings, clock, random, log, pollMs } = deps
  const endsAtMs = clock.monotonicMs() + POLLING_ENDS_MS
  for (let failures = 0; clock.monotonicMs() < endsAtMs;) {
    try {
      view.applyPoll(await upstream.poll(holdings.entries, signal))
      failures = 0
      deps.onInSync('poll')
      // Nobody waits for an acknowledgement, so that no workload that does not read is waited for.
      await view.save().catch((error: unknown) => log.error({ err: error }, 'What a poll brought could not be saved'))
    } catch (error) {
      signal.throwIfAborted()
      // A refusal is for the node to judge; anything else passes.
      if (grpcStatusOf(error) === 'PERMISSION_DENIED' || grpcStatusOf(error) === 'UNAUTHENTICATED') throw error
      failures++
      deps.onPollFailed(error)
    }
    const spread = 1 - POLL_SPREAD + 2 * POLL_SPREAD * drawnFrom(random)
    const wait = failures === 0 ? pollMs * spread : backoffMs(failures, pollMs * 1.5, POLL_BACKOFF_MOST_MS, random)
    await clock.sleep(wait, signal)
  }
}
