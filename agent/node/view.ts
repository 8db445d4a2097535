import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { PushedDelta, PushedSnapshot } from '../upstream/follow.ts'
import type { PolledState } from '../upstream/upstream.ts'
import type { Holdings } from './holdings.ts'
import type { SavedState, SavedView } from './saved-state.ts'

/** A state that is saved and written to the workloads concerned: what the agent may acknowledge, and resume from. */
export interface Settled {
  readonly revision: number
  readonly epoch: string
  readonly digest: Buffer
}

/** How long a change may be on its way to a workload stream before the agent acknowledges it all the same. */
const DELIVERY_LIMIT_MS = 30_000

const NOTHING: Settled = { revision: 0, epoch: '', digest: Buffer.alloc(0) }

/**
 * The revision of what this agent holds: applies what the server says in the right order, saves it, and knows what is settled.
 */
export class View {
  readonly #holdings: Holdings
  readonly #saved: SavedState
  readonly #clock: Clock
  /** The newest snapshot or delta that was applied; heartbeats carry `#revision` beyond it. */
  #applied = 0
  #revision = 0
  #epoch = ''
  #settled: Settled = NOTHING
  #saving: Promise<void> | undefined
  /** What was last written: polls that bring nothing new write nothing. */
  #onDisk: Settled | undefined

  constructor(holdings: Holdings, saved: SavedState, clock: Clock) {
    this.#holdings = holdings
    this.#saved = saved
    this.#clock = clock
  }

  get revision(): number {
    return this.#revision
  }

  /**
   * What to say in a hello. Nothing while more is held than what is settled: a difference from there could not be applied to what is
   * held, so everything is asked for.
   */
  get settled(): Settled {
    return this.#settled.digest.equals(this.#holdings.digest) ? this.#settled : NOTHING
  }

  /** Takes up what was saved before a restart. */
  restore({ revision, epoch, entries, bundles, digest }: SavedView): void {
    this.#holdings.replace(entries, bundles)
    this.#revision = this.#applied = revision
    this.#epoch = epoch
    if (this.#holdings.digest.equals(digest)) this.#settled = { revision, epoch, digest }
  }

  /** The next hello asks for everything. What is held stays in use until then. */
  forget(): void {
    this.#settled = NOTHING
    this.#applied = 0
    this.#revision = 0
    this.#epoch = ''
  }

  /**
   * Applies a snapshot; the sequence under which its delivery can be awaited, or undefined when it is older than what is held.
   *
   * @throws {@link SallyportError} `SYNC_MISMATCH`
   */
  applySnapshot(snapshot: PushedSnapshot): number | undefined {
    // Two streams overlap while the agent's SVID is renewed: what one has brought must not be undone by the other.
    if (snapshot.epoch === this.#epoch && snapshot.revision < this.#applied) return undefined
    const { sequence } = this.#holdings.replace(snapshot.entries, snapshot.bundles)
    this.#epoch = snapshot.epoch
    this.#revision = this.#applied = snapshot.revision
    this.#checkDigest(snapshot.digest)
    return sequence
  }

  /** @throws {@link SallyportError} `SYNC_MISMATCH` */
  applyDelta(delta: PushedDelta): number | undefined {
    if (delta.to < this.#applied) return undefined
    if (delta.from > this.#revision)
      throw this.#mismatch(`a change from revision ${delta.from} came at ${this.#revision}`)
    // Looked at before it is applied: two streams that overlap may each be right, and their mixture is not.
    if (!this.#holdings.digestAfter(delta).equals(delta.digest))
      throw this.#mismatch(`a change to revision ${delta.to} does not fit what is held`)
    const { sequence } = this.#holdings.apply(delta)
    this.#applied = delta.to
    this.#revision = Math.max(this.#revision, delta.to)
    return sequence
  }

  /** Applies what a poll brought. There is no revision to resume from. */
  applyPoll({ entries, bundles }: PolledState): number {
    this.#settled = NOTHING
    return this.#holdings.replace(entries, bundles).sequence
  }

  /** Nothing that concerns this agent has happened up to `revision`. */
  advance(revision: number, epoch: string): void {
    if (epoch !== this.#epoch || revision <= this.#revision) return
    const isSettled = this.#settled.revision === this.#revision
    this.#revision = revision
    if (isSettled) this.#settled = { ...this.#settled, revision }
  }

  /** What is held now, to be settled. */
  get current(): Settled {
    return { revision: this.#applied, epoch: this.#epoch, digest: this.#holdings.digest }
  }

  /** Saves what is held and waits until it is delivered: then `state` may be acknowledged. */
  async settle(state: Settled, sequence: number): Promise<void> {
    await Promise.all([this.save(), this.#delivered(sequence)])
    if (state.epoch === this.#epoch && state.revision >= this.#settled.revision) this.#settled = state
  }

  /** A workload that does not read its stream must not hold back what the server waits for from all agents. */
  async #delivered(sequence: number): Promise<void> {
    const late = new AbortController()
    using _timer = this.#clock.timer(DELIVERY_LIMIT_MS, () => late.abort())
    await this.#holdings.delivered(sequence, late.signal)
  }

  /** Saves what is held. One write at a time; what comes meanwhile goes into the next one. */
  async save(): Promise<void> {
    await this.#saving
    this.#saving ??= this.#write().finally(() => (this.#saving = undefined))
    await this.#saving
  }

  async #write(): Promise<void> {
    const { entries, bundles, digest } = this.#holdings
    const [revision, epoch] = [this.#applied, this.#epoch]
    const onDisk = this.#onDisk
    if (onDisk?.revision === revision && onDisk.epoch === epoch && onDisk.digest.equals(digest)) return
    // Until it is written nobody knows what is there.
    this.#onDisk = undefined
    await this.#saved.writeView({ revision, epoch, entries: [...entries.values()], bundles: bundles.values(), digest })
    this.#onDisk = { revision, epoch, digest }
  }

  #checkDigest(expected: Buffer): void {
    if (!this.#holdings.digest.equals(expected)) throw this.#mismatch(`the digests at ${this.#applied} differ`)
  }

  #mismatch(why: string): SallyportError {
    this.forget()
    return new SallyportError('SYNC_MISMATCH', `Cannot follow the server: ${why}`)
  }
}
