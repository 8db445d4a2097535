import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { DecisionReceipt, DecisionReport } from '../wire/messages/sallyport-policy-v1.ts'
import { awaitFirstState, nothingYet, onceReady } from './first-state.ts'
import { Followed } from './followed.ts'
import { Listeners } from './listeners.ts'
import { NO_POLICY_CONTEXT, type PolicyChanges, type PolicyContext } from './policy-context.ts'
import type { SourceHealth } from './source-health.ts'
import { type SourceClient, sourceClient, type SourceOptions } from './source-options.ts'

export type PolicySourceOptions = SourceOptions

/**
 * The policy of this workload's identities, kept current by a stream from the agent. While the agent is away the last good one
 * stays in force and grows older, and whoever enforces it denies once it is too old.
 *
 * @example
 * ```ts
 * await using policy = await PolicySource.open()
 * console.log(policy.current().status.policyRevision)
 * ```
 */
export class PolicySource implements AsyncDisposable {
  readonly #connection: SourceClient
  readonly #clock: Clock
  readonly #followed: Followed<PolicyContext>
  readonly #changes = new Listeners<PolicyChanges>()
  readonly #closed = new AbortController()

  /**
   * Connects to the agent and waits for its first answer, which may be that there is no policy.
   *
   * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`, `SOURCE_TIMEOUT`; what the agent answered when asking
   *   again is of no use, such as that it serves no policy; the reason of `signal`
   */
  static async open(options: PolicySourceOptions = {}): Promise<PolicySource> {
    const source = new PolicySource(await sourceClient(options), options)
    return onceReady(source, () => source.#ready(options))
  }

  private constructor(connection: SourceClient, { onHealth }: PolicySourceOptions) {
    const { client } = connection
    this.#connection = connection
    this.#clock = client.clock
    this.#followed = new Followed<PolicyContext>({
      what: 'policy source',
      clock: client.clock,
      watch: (signal, onError) => this.#told(client.watchPolicy(signal, { onError })),
      isWithdrawn: (context) => context === NO_POLICY_CONTEXT,
    })
    if (onHealth !== undefined) this.#followed.onHealth(onHealth)
  }

  /**
   * What is in force now. The same object until the next update.
   *
   * @throws {@link SallyportError} `SOURCE_CLOSED`
   */
  current(): PolicyContext {
    if (this.#followed.isClosed) throw new SallyportError('SOURCE_CLOSED', 'Cannot use the policy source: it is closed')
    return this.#followed.state ?? NO_POLICY_CONTEXT
  }

  /** Milliseconds since the server last proved that what is held is the newest; it grows while agent or server are away. */
  ageMs(): number {
    const { status, receivedAtMs } = this.current()
    return status.ageMs + (this.#clock.monotonicMs() - receivedAtMs)
  }

  /** Goes up with every update. */
  get revision(): number {
    return this.#followed.revision
  }

  /** Calls `listener` with what every update changed, when `current()` answers with the new state. Disposing ends it. */
  onChange(listener: (changes: PolicyChanges) => void): Disposable {
    return this.#changes.add(listener)
  }

  /** Tells the agent what was decided; a receipt means that it will not lose the report. */
  reportDecisions(reports: AsyncIterable<DecisionReport>, signal: AbortSignal): AsyncIterable<DecisionReceipt> {
    return this.#connection.client.reportDecisions(reports, signal)
  }

  get clock(): Clock {
    return this.#clock
  }

  get isClosed(): boolean {
    return this.#followed.isClosed
  }

  /** Aborted once it is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal
  }

  get health(): SourceHealth {
    return this.#followed.health
  }

  /** Calls `listener` with every change of health. Disposing ends it. */
  onHealth(listener: (health: SourceHealth) => void): Disposable {
    return this.#followed.onHealth(listener)
  }

  /** Ends the stream. */
  async close(): Promise<void> {
    this.#closed.abort(new SallyportError('SOURCE_CLOSED', 'The policy source is closed'))
    await this.#followed.close()
    await this.#connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Listeners hear of a state once it is the current one: when the next is asked for. */
  async *#told(contexts: AsyncIterable<PolicyContext>): AsyncGenerator<PolicyContext> {
    for await (const context of contexts) {
      yield context
      // What is withdrawn takes everything along.
      this.#changes.tell(context === NO_POLICY_CONTEXT ? { slices: [], fastLane: 'all' } : context.changed)
    }
  }

  #ready({ timeoutMs, signal }: PolicySourceOptions): Promise<void> {
    const { clock, address } = this.#connection.client
    const missing = (): Error | undefined => {
      const { failure, state } = this.#followed
      if (failure !== undefined) throw failure
      return state === undefined ? nothingYet('IDENTITY_NOT_HELD', 'no policy has arrived yet') : undefined
    }
    return awaitFirstState([this.#followed], { clock, address, what: 'the policy', timeoutMs, signal, missing })
  }
}
