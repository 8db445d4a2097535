import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import { agentError } from './agent-error.ts'
import { Listeners } from './listeners.ts'
import type { SourceHealth, SourceStatus } from './source-health.ts'

/** The longest that a timer waits before it looks at the wall clock again, which may have been set. */
const LONGEST_LOOK_MS = 60 * 60 * 1000

export interface FollowedOptions<T> {
  /** What messages call it: "X.509 source". */
  readonly what: string
  readonly clock: Clock
  /** Yields complete states until `signal` aborts; throws when asking again is of no use. Reports what it retries. */
  readonly watch: (signal: AbortSignal, onError: (error: Error) => void) => AsyncIterable<T>
  /** The agent has taken everything back. */
  readonly isWithdrawn: (state: T) => boolean
  /** When what is in use of a state ends. */
  readonly expiresAt?: ((state: T) => Date | undefined) | undefined
}

/** The newest state of a stream of the Workload API: kept while the agent is away, replaced as a whole, never queued. */
export class Followed<T> implements AsyncDisposable {
  readonly #options: FollowedOptions<T>
  readonly #stop = new AbortController()
  /** As the signal says; asked for each request, and a signal takes its time. */
  #isClosed = false
  readonly #changes = new Listeners<void>()
  /** Who waits for the next thing that happens, be it the end. */
  readonly #waits = new Listeners<void>()
  readonly #healthChanges = new Listeners<SourceHealth>()
  readonly #running: Promise<void>
  #state: T | undefined
  #revision = 0
  #expiresAt: Date | undefined
  #trouble: Error | undefined
  #failed = false
  #status: SourceStatus = 'starting'
  #told: string | undefined
  #since: Date
  #expiry: Disposable | undefined

  constructor(options: FollowedOptions<T>) {
    this.#options = options
    this.#since = options.clock.now()
    this.#running = this.#follow()
  }

  /** The last good state; undefined before the first. */
  get state(): T | undefined {
    return this.#state
  }

  /** Goes up with every state. */
  get revision(): number {
    return this.#revision
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get health(): SourceHealth {
    const status = this.#statusNow()
    const expiresAt = this.#expiresAt
    const since =
      status === 'expired' && this.#status !== 'expired' && expiresAt !== undefined ? expiresAt : this.#since
    return { status, since, error: this.#trouble, expiresAt }
  }

  /** What ended it for good, if anything did. */
  get failure(): Error | undefined {
    return this.#failed ? this.#trouble : undefined
  }

  onChange(listener: () => void): Disposable {
    return this.#changes.add(listener)
  }

  onHealth(listener: (health: SourceHealth) => void): Disposable {
    return this.#healthChanges.add(listener)
  }

  /** Waits for the next change: a state, its failure, or its end. */
  changed(signal?: AbortSignal): Promise<void> {
    return this.#waits.next(signal)
  }

  /** The state of now and of every later moment; whoever is slow misses those in between. Ends when this is closed. */
  async *states(signal?: AbortSignal): AsyncGenerator<T> {
    for (let seen = 0; ;) {
      signal?.throwIfAborted()
      if (this.isClosed) return
      if (this.#state !== undefined && this.#revision !== seen) {
        seen = this.#revision
        yield this.#state
      } else if (this.#failed) throw this.#trouble
      else await this.changed(signal)
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stop.abort(new SallyportError('SOURCE_CLOSED', `The ${this.#options.what} is closed`))
    this.#expiry?.[Symbol.dispose]()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Never rejects: how it ends is part of its health. */
  async #follow(): Promise<void> {
    const { signal } = this.#stop
    try {
      for await (const state of this.#options.watch(signal, (error) => this.#fails(error, false))) {
        signal.throwIfAborted()
        this.#accept(state)
      }
    } catch (error) {
      if (!signal.aborted) this.#fails(error, true)
    }
    if (signal.aborted) this.#observe()
    this.#waits.tell()
  }

  #accept(state: T): void {
    this.#state = state
    this.#revision++
    // What is withdrawn has a reason, which came just before.
    if (!this.#options.isWithdrawn(state)) this.#trouble = undefined
    this.#expiresAt = this.#options.expiresAt?.(state)
    this.#changes.tell()
    this.#waits.tell()
    this.#awaitExpiry()
    this.#observe()
  }

  #fails(error: unknown, forGood: boolean): void {
    this.#trouble = agentError(error)
    this.#failed ||= forGood
    this.#observe()
  }

  #awaitExpiry(): void {
    this.#expiry?.[Symbol.dispose]()
    if (this.#expiresAt === undefined || this.isClosed) return
    const leftMs = this.#expiresAt.getTime() - this.#options.clock.now().getTime()
    if (leftMs <= 0) return
    this.#expiry = this.#options.clock.timer(Math.min(leftMs, LONGEST_LOOK_MS), () => {
      this.#observe()
      this.#awaitExpiry()
    })
  }

  #statusNow(): SourceStatus {
    if (this.isClosed) return 'closed'
    if (this.#state === undefined) return this.#failed ? 'failed' : 'starting'
    if (this.#options.isWithdrawn(this.#state)) return 'withdrawn'
    if (this.#expiresAt !== undefined && this.#expiresAt <= this.#options.clock.now()) return 'expired'
    if (this.#failed) return 'failed'
    return this.#trouble === undefined ? 'current' : 'degraded'
  }

  /** Tells of a status or a trouble that is not the one told last. */
  #observe(): void {
    const { health } = this
    if (health.status !== this.#status) {
      this.#status = health.status
      this.#since = health.status === 'expired' ? health.since : this.#options.clock.now()
    } else if (health.error?.message === this.#told) return
    this.#told = health.error?.message
    this.#healthChanges.tell({ ...health, since: this.#since })
  }
}
