import { type BundleSet, NO_BUNDLES } from '../bundle/bundle-set.ts'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { WitBundleSource, WitIdentity, WitIdentitySource } from '../wit/wit-identity.ts'
import type { WitSvidWithKey } from '../wit/wit-svid.ts'
import { awaitFirstState, firstChange, nothingYet, onceReady } from './first-state.ts'
import { Followed } from './followed.ts'
import { together } from './listeners.ts'
import { type NobodyPicked, pickedOf, svidExpired } from './picked-svid.ts'
import { checkPicker, type SvidPicker } from './select-svid.ts'
import type { SourceHealth } from './source-health.ts'
import { type SourceClient, sourceClient, type SourceOptions } from './source-options.ts'

export interface WitSourceOptions extends SourceOptions {
  /** Which identity to be when there are several: `{ hint }`, `{ spiffeId }` or a function. Default: the first. */
  readonly picker?: SvidPicker<WitSvidWithKey> | undefined
}

/** Everything of WIT-SVIDs that a workload holds since a change. */
export interface WitState {
  /** The picked one; undefined when none is held that will do. */
  readonly svid: WitSvidWithKey | undefined
  readonly svids: readonly WitSvidWithKey[]
  readonly bundles: BundleSet
  /** Goes up with every change. */
  readonly revision: number
}

/**
 * This workload's WIT-SVID with its key, and the bundles to verify those of others, kept current by two streams from the agent.
 * While agent or server are away the last good value stays in use, and never beyond the end of the WIT-SVID. A new WIT-SVID has a
 * new key.
 *
 * Incubating: the agent must have WIT-SVIDs turned on.
 *
 * @example
 * ```ts
 * await using source = await WitSource.open()
 * const { svid, bundles } = source.current()
 * ```
 * @see WIT-SVID.md (Incubating)
 */
export class WitSource implements WitIdentitySource, WitBundleSource, AsyncDisposable {
  readonly #connection: SourceClient
  readonly #clock: Clock
  readonly #svids: Followed<HeldSvids>
  readonly #bundles: Followed<BundleSet>
  #identity: WitIdentity | undefined

  /**
   * Connects to the Workload API and waits for the first WIT-SVID and bundles.
   *
   * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`; `METHOD_UNIMPLEMENTED` where the agent has no
   *   WIT-SVIDs; `SOURCE_TIMEOUT`, which says what is missing and what helps; the reason of `signal`
   */
  static async open(options: WitSourceOptions = {}): Promise<WitSource> {
    checkPicker(options.picker)
    const source = new WitSource(await sourceClient(options), options)
    return onceReady(source, () => source.#ready(options))
  }

  private constructor(connection: SourceClient, { picker, onHealth }: WitSourceOptions) {
    const { client } = connection
    this.#connection = connection
    this.#clock = client.clock
    this.#svids = new Followed<HeldSvids>({
      what: 'WIT source',
      clock: client.clock,
      watch: (signal, onError) => held(client.watchWitSvids(signal, { onError }), picker),
      isWithdrawn: ({ svids }) => svids.length === 0,
      expiresAt: ({ picked }) => ('svid' in picked ? picked.svid.expiresAt : undefined),
    })
    this.#bundles = new Followed<BundleSet>({
      what: 'WIT source',
      clock: client.clock,
      watch: (signal, onError) => client.watchWitBundles(signal, { onError }),
      isWithdrawn: (bundles) => bundles.values().length === 0,
    })
    if (onHealth !== undefined) this.onHealth(onHealth)
  }

  /**
   * The WIT-SVID of this moment with its key, and the bundles. The same object until the next change.
   *
   * @throws {@link SallyportError} `SVID_EXPIRED`; `IDENTITY_NOT_HELD` when the agent has withdrawn it or the picker finds none;
   *   `SOURCE_CLOSED`
   */
  current(): WitIdentity {
    const { picked } = this.#held()
    if ('problem' in picked) throw picked.problem
    const { svid } = picked
    if (svid.expiresAt <= this.#clock.now()) throw this.#expired(svid)
    const { bundles } = this
    if (this.#identity?.svid !== svid || this.#identity.bundles !== bundles) this.#identity = { svid, bundles }
    return this.#identity
  }

  /** Every WIT-SVID that is held, the default one first, expired ones included. */
  get svids(): readonly WitSvidWithKey[] {
    return this.#held().svids
  }

  /** The bundles of this moment; they hold keys for WIT-SVIDs and nothing else. Throws `SOURCE_CLOSED`. */
  get bundles(): BundleSet {
    if (this.#bundles.isClosed) throw closed()
    return this.#bundles.state ?? NO_BUNDLES
  }

  /** Goes up with every change, so that what follows from one state can be cached. */
  get revision(): number {
    return this.#svids.revision + this.#bundles.revision
  }

  /** Calls `listener` after every change, when `current()` and `bundles` answer with the new state. Disposing ends it. */
  onChange(listener: () => void): Disposable {
    return together(this.#both.map((one) => one.onChange(listener)))
  }

  /** The state of now, and every later one until this is closed or `signal` aborts. Whoever is slow misses those in between. */
  async *watch(signal?: AbortSignal): AsyncGenerator<WitState> {
    for (let seen: number | undefined; !this.#svids.isClosed;) {
      signal?.throwIfAborted()
      const { revision } = this
      const failure = this.#svids.failure ?? this.#bundles.failure
      if (seen === revision && failure !== undefined) throw failure
      if (seen === revision) await firstChange(this.#both, signal)
      else {
        seen = revision
        const { picked, svids } = this.#held()
        yield { svid: 'svid' in picked ? picked.svid : undefined, svids, bundles: this.bundles, revision }
      }
    }
  }

  /** That of the WIT-SVIDs; where these are current, that of the bundles. */
  get health(): SourceHealth {
    const { health } = this.#svids
    if (health.status !== 'current') return health
    return { ...this.#bundles.health, expiresAt: health.expiresAt }
  }

  /** Calls `listener` with every change of health of either stream. Disposing ends it. */
  onHealth(listener: (health: SourceHealth) => void): Disposable {
    return together(this.#both.map((one) => one.onHealth(listener)))
  }

  /** Ends the streams; afterwards nothing is handed out. */
  async close(): Promise<void> {
    await Promise.all(this.#both.map((one) => one.close()))
    await this.#connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  get #both(): readonly [Followed<HeldSvids>, Followed<BundleSet>] {
    return [this.#svids, this.#bundles]
  }

  #held(): HeldSvids {
    const { state, isClosed } = this.#svids
    if (isClosed) throw closed()
    if (state === undefined) throw nothingYet('IDENTITY_NOT_HELD', 'Cannot be anybody: no WIT-SVID has arrived yet')
    return state
  }

  #expired({ spiffeId, expiresAt }: WitSvidWithKey): SallyportError {
    return svidExpired(spiffeId, { kind: 'WIT-SVID', expiresAt, error: this.#svids.health.error })
  }

  #ready({ timeoutMs, signal }: WitSourceOptions): Promise<void> {
    const { clock, address } = this.#connection.client
    const missing = (): Error | undefined => {
      const failure = this.#svids.failure ?? this.#bundles.failure
      if (failure !== undefined) throw failure
      if (this.#bundles.state === undefined) return nothingYet('BUNDLE_UNKNOWN', 'no WIT bundle has arrived yet')
      try {
        this.current()
        return undefined
      } catch (error) {
        return error as Error
      }
    }
    return awaitFirstState(this.#both, { clock, address, what: 'a WIT-SVID', timeoutMs, signal, missing })
  }
}

/** A message with what the picker makes of it. */
interface HeldSvids {
  readonly svids: readonly WitSvidWithKey[]
  readonly picked: { readonly svid: WitSvidWithKey } | NobodyPicked
}

const closed = (): SallyportError => new SallyportError('SOURCE_CLOSED', 'Cannot use the WIT source: it is closed')

async function* held(
  messages: AsyncIterable<readonly WitSvidWithKey[]>,
  picker: SvidPicker<WitSvidWithKey> | undefined,
): AsyncGenerator<HeldSvids> {
  for await (const svids of messages) yield { svids, picked: pickedOf(svids, picker, (svid) => ({ svid })) }
}
