import type { Decision } from '../policy/decision.ts'
import type { FastLaneEvent } from '../policy/fast-lane.ts'
import type { HttpFacts, JwtFacts } from '../policy/request.ts'
import type { SliceDocument } from '../policy/signed-documents.ts'
import { Connections } from '../tls/connections.ts'
import { Deadlines } from '../tls/deadlines.ts'
import { findConnection } from '../tls/peer-of.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import type { VerifiedPeer } from '../tls/verified-peer.ts'
import type { PolicyChanges } from '../workload/policy-context.ts'
import type { PolicySource } from '../workload/policy-source.ts'
import type { DecisionNotes } from './decision-notes.ts'
import type { EnforcedConnection } from './enforced-connection.ts'
import { endedElevation, identitiesIn } from './identities-in.ts'
import type { PolicyPoint } from './policy-point.ts'
import { ProofCheck } from './proof-check.ts'
import { sliceChange } from './slice-change.ts'

/** How often connections are looked at while the policy grows old, and how soon a jump of the wall clock is noticed. */
const LOOK_EVERY_MS = 5000
/** By so much the wall clock may run otherwise than the steady one. */
const CLOCK_JUMP_MS = 2000

export interface OpenConnectionsDeps {
  readonly source: TlsSource & Announcing
  readonly policy: PolicySource
  /** What the policy calls the service. */
  readonly service: string
  readonly point: PolicyPoint
  readonly notes: DecisionNotes
}

/** Sources that say when they have changed, as `X509Source` does; others are looked at in time. */
interface Announcing {
  onChange?(listener: () => void): Disposable
}

/**
 * The connections that were let in, asked about again whenever the answer may have changed: by a new slice, by an entry of the fast
 * lane, or by the time.
 *
 * @see zones.md §3.13
 */
export class OpenConnections implements Disposable {
  readonly all: Connections
  readonly #deps: OpenConnectionsDeps
  readonly #deadlines: Deadlines
  readonly #bySocket = new WeakMap<object, EnforcedConnection>()
  /** Those that a forwarded token opened: the peer does not say who acts. */
  readonly #ofCallers = new Set<EnforcedConnection>()
  readonly #elevated = new Set<EnforcedConnection>()
  readonly #listening: readonly (Disposable | undefined)[]
  readonly #proofs: ProofCheck
  #slice: SliceDocument | undefined
  #wallAheadMs: number
  #nextLook: Disposable | undefined

  constructor(deps: OpenConnectionsDeps) {
    const { source, policy, point } = deps
    this.#deps = deps
    this.#proofs = new ProofCheck(source, policy.clock)
    this.all = new Connections({ clock: policy.clock })
    this.#deadlines = new Deadlines(policy.clock)
    this.#slice = point.slice?.document
    this.#wallAheadMs = this.#nowMs() - policy.clock.monotonicMs()
    this.#listening = [
      policy.onChange((changes) => this.#changed(changes)),
      source.onChange?.(() => void this.#checkProofs()),
    ]
    this.#lookInTime()
  }

  /** Looks at nothing any more. */
  [Symbol.dispose](): void {
    for (const listening of this.#listening) listening?.[Symbol.dispose]()
    this.#nextLook?.[Symbol.dispose]()
  }

  of(socket: object): EnforcedConnection | undefined {
    return this.#bySocket.get(socket)
  }

  /** Let in by `decision`. */
  add(
    socket: object & { once(event: 'close', listener: () => void): unknown },
    one: EnforcedConnection,
    decision: Decision,
  ): void {
    this.#bySocket.set(socket, one)
    this.#keep(one, decision)
    socket.once('close', () => {
      one.deadline?.timer[Symbol.dispose]()
      this.#ofCallers.delete(one)
      this.#elevated.delete(one)
    })
  }

  /** The server has registered it. */
  announced(socket: object): void {
    const one = this.#bySocket.get(socket)
    if (one !== undefined) one.connection = findConnection(socket)
  }

  /** A request that was allowed by `decision` has made a stream of it. */
  becomesStream(one: EnforcedConnection, request: HttpFacts, jwt: JwtFacts | undefined, decision: Decision): void {
    one.becomesStream(request, jwt)
    if (jwt !== undefined) this.#ofCallers.add(one)
    this.#keep(one, decision)
  }

  /** What is no longer who it was ends at once; what may no longer come finishes what it is doing. */
  close({ connection }: EnforcedConnection, { deniedBy }: Decision): void {
    if (deniedBy === 'identity' || deniedBy === 'lifecycle') connection?.destroy('refused')
    else connection?.drain('refused', this.#settings.drainMs)
  }

  /** Only connections that a change may concern are looked at. */
  #changed({ slices, fastLane }: PolicyChanges): void {
    const { point, service } = this.#deps
    const own = point.own
    const before = this.#slice
    this.#slice = point.slice?.document
    if (own === undefined || fastLane === 'all') return this.#lookAt(this.#everyone(), 'fast lane')
    // Also when the slice is another because the own identity is.
    if (slices.includes(own) || before !== this.#slice) {
      const concerns = sliceChange(before, this.#slice, service)
      this.#lookAt(
        this.#everyone().filter((one) => one.caller !== undefined || concerns(one)),
        'policy',
      )
    }
    for (const event of fastLane) this.#lookAt(this.#concernedBy(event, own), event.kind)
  }

  #concernedBy(event: FastLaneEvent, own: string): Iterable<EnforcedConnection> {
    const named = identitiesIn(event)
    if (named === 'all' || named.includes(own)) return this.#everyone()
    const ended = endedElevation(event)
    return new Set([
      ...named.flatMap((id) => this.#enforced(this.all.peers.get(id) ?? [])),
      ...[...this.#ofCallers].filter(({ caller }) => caller !== undefined && named.includes(caller)),
      ...[...this.#elevated].filter(({ elevations }) => ended !== undefined && elevations.includes(ended)),
    ])
  }

  #everyone(): EnforcedConnection[] {
    return this.#enforced(this.all)
  }

  #enforced(connections: Iterable<{ readonly socket: object }>): EnforcedConnection[] {
    const found: EnforcedConnection[] = []
    for (const { socket } of connections) {
      const one = this.#bySocket.get(socket)
      if (one !== undefined) found.push(one)
    }
    return found
  }

  /** Many connections may have few different answers, and those of one certificate mostly have one. */
  #lookAt(those: Iterable<EnforcedConnection>, why: string): void {
    const { point, notes } = this.#deps
    const { moment } = point
    const lastOf = new Map<VerifiedPeer, readonly [EnforcedConnection, Decision]>()
    for (const one of those) {
      const [last, known] = lastOf.get(one.peer) ?? []
      const decision = last?.isLike(one) === true && known !== undefined ? known : point.decide(one.asked, moment)
      if (known !== decision) lastOf.set(one.peer, [one, decision])
      if (decision.decision === 'allow') this.#keep(one, decision, moment.nowMs)
      else {
        notes.take(one.asked, decision, { enforced: one, reeval: why })
        this.close(one, decision)
      }
    }
  }

  #keep(one: EnforcedConnection, decision: Decision, nowMs = this.#nowMs()): void {
    one.rests(decision)
    if (one.elevations.length > 0) this.#elevated.add(one)
    else this.#elevated.delete(one)
    const { maxAgeMs, drainMs } = this.#settings
    const agesAtMs = one.openedAtMs + maxAgeMs
    const isAged = nowMs >= agesAtMs
    if (isAged) one.connection?.drain('aged', drainMs)
    // While it drains it may still lose its right.
    this.#lookAgainAt(one, isAged ? decision.expires : Math.min(decision.expires, agesAtMs))
  }

  /** Whose proof a new bundle has taken away is no longer who it was. */
  #checkProofs(): Promise<void> {
    const peers = (): VerifiedPeer[] => this.#everyone().map(({ peer }) => peer)
    return this.#proofs.run(peers, (peer, facts) => {
      for (const one of this.#everyone().filter((other) => other.peer === peer)) {
        const asked = { ...one.asked, peer: facts }
        const decision = this.#deps.point.decide(asked)
        this.#deps.notes.take(asked, decision, { enforced: one, reeval: 'bundle' })
        this.close(one, decision)
      }
    })
  }

  /** A timer that comes too early looks and is set again: most answers hold longer the next time, too. */
  #lookAgainAt(one: EnforcedConnection, atMs: number): void {
    if (atMs === Infinity || (one.deadline !== undefined && one.deadline.atMs <= atMs)) return
    const { clock } = this.#deps.policy
    one.deadline?.timer[Symbol.dispose]()
    const timer = this.#deadlines.add(clock.monotonicMs() + Math.max(0, atMs - this.#nowMs()), () => this.#due(one))
    one.deadline = { atMs, timer }
  }

  #due(one: EnforcedConnection): void {
    one.deadline = undefined
    if (!this.#isOver) this.#lookAt([one], 'expired')
  }

  /** Without a source nothing new can be known: requests are refused, and what is on its way may finish. */
  get #isOver(): boolean {
    return this.#deps.policy.isClosed
  }

  /** No message comes when the age of the policy reaches its limit, or when somebody sets the clock. */
  #lookInTime(): void {
    const { policy, point } = this.#deps
    this.#nextLook = policy.clock.timer(LOOK_EVERY_MS, () => {
      if (this.#isOver) return
      const wallAheadMs = this.#nowMs() - policy.clock.monotonicMs()
      const hasJumped = Math.abs(wallAheadMs - this.#wallAheadMs) > CLOCK_JUMP_MS
      this.#wallAheadMs = wallAheadMs
      if (hasJumped) this.#lookAt(this.#everyone(), 'clock')
      else if (point.context.status.stale) this.#lookAt(this.#everyone(), 'stale')
      void this.#checkProofs()
      this.#lookInTime()
    })
  }

  get #settings(): { readonly maxAgeMs: number; readonly drainMs: number } {
    return this.#deps.point.settings.connection
  }

  #nowMs(): number {
    return this.#deps.policy.clock.now().getTime()
  }
}
