import { bundleOf } from '../bundle/bundle.ts'
import { type BundleSet, bundleSetOf } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import { awaitFirstState, firstChange, nothingYet, onceReady } from './first-state.ts'
import { Followed } from './followed.ts'
import { together } from './listeners.ts'
import type { SourceHealth } from './source-health.ts'
import { type SourceClient, sourceClient, type SourceOptions, type SvidClient } from './source-options.ts'
import { statusOf } from './watch.ts'

export interface BundleSourceOptions extends SourceOptions<SvidClient> {
  /** Apply the revocation lists that the agent sends, as `X509Source` does. Default: no. */
  readonly checkRevocation?: boolean | undefined
}

/**
 * The bundles of the own and of foreign trust domains, kept current by streams from the agent; for whoever verifies others and
 * needs no SVID of its own. While the agent is away the last good ones stay in use.
 *
 * @example
 * ```ts
 * await using source = await BundleSource.open()
 * const peer = await verifyX509Svid(chain, source.current())
 * ```
 */
export class BundleSource implements AsyncDisposable {
  readonly #connection: SourceClient<SvidClient>
  readonly #x509: Followed<BundleSet>
  readonly #jwt: Followed<BundleSet>
  #merged: { readonly revision: number; readonly bundles: BundleSet } | undefined

  /**
   * Connects to the Workload API and waits for the first bundles of both kinds; an agent that does not serve one of them is
   * taken as it is.
   *
   * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`, `SOURCE_TIMEOUT`; what the agent answered when asking
   *   again is of no use; the reason of `signal`
   */
  static async open(options: BundleSourceOptions = {}): Promise<BundleSource> {
    const source = new BundleSource(await sourceClient(options), options)
    return onceReady(source, () => source.#ready(options))
  }

  private constructor(connection: SourceClient<SvidClient>, { checkRevocation, onHealth }: BundleSourceOptions) {
    const { client } = connection
    const common = { clock: client.clock, isWithdrawn: (bundles: BundleSet) => bundles.values().length === 0 }
    this.#connection = connection
    this.#x509 = new Followed<BundleSet>({
      ...common,
      what: 'X.509 bundle source',
      watch: (signal, onError) => client.watchX509Bundles(signal, { onError, checkRevocation }),
    })
    this.#jwt = new Followed<BundleSet>({
      ...common,
      what: 'JWT bundle source',
      watch: (signal, onError) => client.watchJwtBundles(signal, { onError }),
    })
    if (onHealth !== undefined) this.onHealth(onHealth)
  }

  /**
   * The bundles of this moment, with the authorities of both kinds. The same object until the next change.
   *
   * @throws {@link SallyportError} `SOURCE_CLOSED`
   */
  current(): BundleSet {
    if (this.#x509.isClosed) throw new SallyportError('SOURCE_CLOSED', 'Cannot use the bundle source: it is closed')
    const { revision } = this
    if (this.#merged?.revision !== revision) {
      this.#merged = { revision, bundles: merged(this.#x509.state, this.#jwt.state) }
    }
    return this.#merged.bundles
  }

  /** Goes up with every change. */
  get revision(): number {
    return this.#x509.revision + this.#jwt.revision
  }

  /** Calls `listener` after every change, when `current()` answers with the new state. Disposing ends it. */
  onChange(listener: () => void): Disposable {
    return together([this.#x509, this.#jwt].map((one) => one.onChange(listener)))
  }

  /** The bundles of now and of every later moment until this is closed or `signal` aborts. Whoever is slow misses those in between. */
  async *watch(signal?: AbortSignal): AsyncGenerator<BundleSet> {
    for (let seen: number | undefined; !this.#x509.isClosed;) {
      signal?.throwIfAborted()
      if (seen === this.revision) await firstChange([this.#x509, this.#jwt], signal)
      else {
        seen = this.revision
        yield this.current()
      }
    }
  }

  /** That of X.509 bundles; where these are current, that of JWT bundles, unless the agent serves none. */
  get health(): SourceHealth {
    const { health } = this.#x509
    const isOnlyOne = isNotServed(this.#jwt.failure)
    const isFine = health.status === 'current' || isNotServed(this.#x509.failure)
    return isFine && !isOnlyOne ? this.#jwt.health : health
  }

  /** Calls `listener` with every change of health of either kind. Disposing ends it. */
  onHealth(listener: (health: SourceHealth) => void): Disposable {
    return together([this.#x509, this.#jwt].map((one) => one.onHealth(listener)))
  }

  async close(): Promise<void> {
    await Promise.all([this.#x509.close(), this.#jwt.close()])
    await this.#connection.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #ready({ timeoutMs, signal }: BundleSourceOptions): Promise<void> {
    const { clock, address } = this.#connection.client
    const both = [this.#x509, this.#jwt]
    const missing = (): Error | undefined => {
      const failures = both.flatMap(({ failure }) => (failure === undefined ? [] : [failure]))
      // An operator may turn one profile off; whoever needs it finds no bundle of it.
      const fatal = failures.find((failure) => failures.length === both.length || !isNotServed(failure))
      if (fatal !== undefined) throw fatal
      const isThere = both.every(({ state, failure }) => state !== undefined || failure !== undefined)
      return isThere ? undefined : nothingYet('BUNDLE_UNKNOWN', 'no bundle has arrived yet')
    }
    return awaitFirstState(both, { clock, address, what: 'bundles', timeoutMs, signal, missing })
  }
}

/** The agent does not know the call, or its operator has turned the profile off. */
const isNotServed = (failure: Error | undefined): boolean =>
  failure !== undefined && statusOf(failure) === 'UNIMPLEMENTED'

/** One bundle for each trust domain, with what either kind says about it. */
function merged(x509: BundleSet | undefined, jwt: BundleSet | undefined): BundleSet {
  const both = [...(x509?.values() ?? []), ...(jwt?.values() ?? [])]
  return bundleSetOf(
    both.map(({ trustDomain }) =>
      bundleOf({
        trustDomain,
        x509Authorities: x509?.get(trustDomain)?.x509Authorities,
        jwtAuthorities: jwt?.get(trustDomain)?.jwtAuthorities,
        crls: x509?.get(trustDomain)?.crls,
      }),
    ),
  )
}
