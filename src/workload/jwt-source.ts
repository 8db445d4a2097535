import { orAborted } from '../abort.ts'
import { type BundleSet, NO_BUNDLES } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import type { JwtSvid } from '../svid/jwt-svid.ts'
import { type JwtVerification, verifyJwtSvid } from '../svid/verify-jwt-svid.ts'
import { awaitFirstState, nothingYet, onceReady } from './first-state.ts'
import { Followed } from './followed.ts'
import { JwtSvidCache } from './jwt-svid-cache.ts'
import { checkPicker, selectSvid, type SvidPicker } from './select-svid.ts'
import type { SourceHealth } from './source-health.ts'
import { type SourceClient, sourceClient, type SourceOptions, type SvidClient } from './source-options.ts'

export interface JwtSourceOptions extends SourceOptions<SvidClient> {
  /** Whose tokens to fetch when there are several identities: `{ hint }`, `{ spiffeId }` or a function. Default: the first. */
  readonly picker?: SvidPicker<JwtSvid> | undefined
  /** Told when a token could not be renewed, while the old one is still handed out. */
  readonly onError?: ((error: Error) => void) | undefined
}

export interface JwtSvidFetch {
  /** Instead of the picker of the source. */
  readonly picker?: SvidPicker<JwtSvid> | undefined
  readonly signal?: AbortSignal | undefined
}

/** The longest that the agent may take for a token. */
const FETCH_TIMEOUT_MS = 30_000

/**
 * Tokens of this workload by audience, renewed from half of their life on, and the JWT bundles to verify the tokens of others,
 * kept current by a stream from the agent.
 *
 * @example
 * ```ts
 * await using source = await JwtSource.open()
 * const { token } = await source.fetch('reports')
 * const caller = await source.verify(received, 'orders')
 * ```
 */
export class JwtSource implements AsyncDisposable {
  readonly #connection: SourceClient<SvidClient>
  readonly #followed: Followed<BundleSet>
  readonly #tokens: JwtSvidCache
  readonly #picker: SvidPicker<JwtSvid>
  readonly #closing = new AbortController()

  /**
   * Connects to the Workload API and waits for the first JWT bundles.
   *
   * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`, `SOURCE_TIMEOUT`; what the agent answered when asking
   *   again is of no use; the reason of `signal`
   */
  static async open(options: JwtSourceOptions = {}): Promise<JwtSource> {
    checkPicker(options.picker)
    const source = new JwtSource(await sourceClient(options), options)
    return onceReady(source, () => source.#ready(options))
  }

  private constructor(
    connection: SourceClient<SvidClient>,
    { picker = {}, onHealth, onError = () => {} }: JwtSourceOptions,
  ) {
    const { client } = connection
    this.#connection = connection
    this.#picker = picker
    this.#followed = new Followed<BundleSet>({
      what: 'JWT source',
      clock: client.clock,
      watch: (signal, onError) => client.watchJwtBundles(signal, { onError }),
      isWithdrawn: (bundles) => bundles.values().length === 0,
    })
    this.#tokens = new JwtSvidCache({
      clock: client.clock,
      random: Math.random,
      keysRevision: () => this.revision,
      isSignedByKnownKey: (svid) => this.#isSignedByKnownKey(svid),
      onError,
    })
    // What is withdrawn takes its tokens along, however long they would last.
    this.#followed.onChange(() => {
      if (this.#followed.state?.values().length === 0) this.#tokens.clear()
    })
    if (onHealth !== undefined) this.#followed.onHealth(onHealth)
  }

  /**
   * A token for an audience, from memory while less than half of its life is over; from then on a new one is fetched while the old
   * one is still handed out. Calls at the same time share one request to the agent; a failure is told to them and not remembered,
   * so that the next call asks again.
   *
   * @param audience what the receiver calls itself; one is the normal case, since each of several could use the token at another
   * @throws {@link SallyportError} `NO_IDENTITY`, `IDENTITY_NOT_HELD`, `IDENTITY_PENDING`, `UNREACHABLE`, `DEADLINE_EXCEEDED`,
   *   `WORKLOAD_API_FAILED`, `WORKLOAD_RESPONSE_INVALID`, `SOURCE_CLOSED`; the reason of `signal`
   */
  async fetch(audience: readonly string[] | string, options: JwtSvidFetch = {}): Promise<JwtSvid> {
    this.#checkOpen()
    options.signal?.throwIfAborted()
    const { picker = this.#picker } = options
    checkPicker(picker)
    const wanted = typeof audience === 'string' ? [audience] : [...audience]
    const spiffeId = typeof picker === 'function' ? undefined : picker.spiffeId
    const fetching = this.#tokens.get(JSON.stringify([spiffeId?.toString() ?? '', ...wanted]), () =>
      this.#ask(wanted, spiffeId),
    )
    return selectSvid(await orAborted(fetching, options.signal), picker)
  }

  /**
   * Verifies a token of somebody else here, with the bundles of this moment: signed by the trust domain that it names, valid now,
   * for one of `audience`.
   *
   * @param audience what this service calls itself
   * @throws {@link SallyportError} `JWS_INVALID`, `JSON_INVALID`, `JWT_SVID_INVALID`, `BUNDLE_UNKNOWN`, `JWT_KEY_UNKNOWN`,
   *   `JWS_SIGNATURE_INVALID`, `JWT_SVID_EXPIRED`, `JWT_SVID_AUDIENCE`, `SOURCE_CLOSED`
   */
  async verify(token: string, audience: readonly string[] | string, options: JwtVerification = {}): Promise<JwtSvid> {
    return verifyJwtSvid(token, audience, this.bundles, this.#connection.client.clock.now(), options)
  }

  /** The JWT bundles of this moment. Throws `SOURCE_CLOSED`. */
  get bundles(): BundleSet {
    this.#checkOpen()
    return this.#followed.state ?? NO_BUNDLES
  }

  /** Goes up with every change of the bundles. */
  get revision(): number {
    return this.#followed.revision
  }

  /** Calls `listener` after every change of the bundles. Disposing ends it. */
  onChange(listener: () => void): Disposable {
    return this.#followed.onChange(listener)
  }

  /** The bundles of now and of every later moment until this is closed or `signal` aborts. Whoever is slow misses those in between. */
  watch(signal?: AbortSignal): AsyncGenerator<BundleSet> {
    return this.#followed.states(signal)
  }

  get health(): SourceHealth {
    return this.#followed.health
  }

  /** Calls `listener` with every change of health. Disposing ends it. */
  onHealth(listener: (health: SourceHealth) => void): Disposable {
    return this.#followed.onHealth(listener)
  }

  /** Ends the stream and forgets every token; afterwards nothing is handed out. */
  async close(): Promise<void> {
    this.#closing.abort(closed())
    this.#tokens.clear()
    await this.#followed.close()
    await this.#connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #ask(audience: readonly string[], spiffeId: SpiffeId | string | undefined): Promise<readonly JwtSvid[]> {
    return this.#connection.client.fetchJwtSvids(
      { audience, spiffeId: typeof spiffeId === 'string' ? SpiffeId.parse(spiffeId) : spiffeId },
      { signal: this.#closing.signal, timeoutMs: FETCH_TIMEOUT_MS },
    )
  }

  #isSignedByKnownKey({ spiffeId, keyId }: JwtSvid): boolean {
    const bundle = this.#followed.state?.get(spiffeId.trustDomain)
    return bundle === undefined || keyId === undefined || bundle.jwtAuthorities.some((key) => key.keyId === keyId)
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw closed()
  }

  #ready({ timeoutMs, signal }: JwtSourceOptions): Promise<void> {
    const { clock, address } = this.#connection.client
    const missing = (): Error | undefined => {
      if (this.#followed.failure !== undefined) throw this.#followed.failure
      if (this.#followed.state !== undefined) return undefined
      return nothingYet('BUNDLE_UNKNOWN', 'no bundle has arrived yet')
    }
    return awaitFirstState([this.#followed], { clock, address, what: 'JWT bundles', timeoutMs, signal, missing })
  }
}

const closed = (): SallyportError => new SallyportError('SOURCE_CLOSED', 'Cannot use the JWT source: it is closed')
