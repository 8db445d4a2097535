import { orAborted } from '../abort.ts'
import type { Bundle } from '../bundle/bundle.ts'
import { type BundleSet, bundleSetOf } from '../bundle/bundle-set.ts'
import { type Clock, systemClock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import { onceReady } from '../workload/first-state.ts'
import { Listeners } from '../workload/listeners.ts'
import type { BundleStore } from './bundle-store.ts'
import { checkRelationships } from './check-relationships.ts'
import { fetchDocument } from './fetch-document.ts'
import type { FetchReport } from './fetch-report.ts'
import { parseGivenBundle } from './given-bundle.ts'
import { Poller } from './poller.ts'
import { invalid, otherServerOf, parseRelationship, type RelationshipOptions, trustDomainOf } from './relationship.ts'
import type { RelationshipHealth } from './relationship-health.ts'

export interface BundleEndpointsOptions {
  /** The trust domain of this workload, whose bundle is fetched from nobody. */
  readonly ownTrustDomain: TrustDomain | string
  readonly relationships: readonly RelationshipOptions[]
  /**
   * Bundles that are known from elsewhere, such as those of the agent. They verify endpoints of trust domains with which there is no
   * relationship here.
   */
  readonly bundles?: (() => BundleSet) | undefined
  /** Where bundles survive a restart, such as `folderStore()`. Default: nowhere. */
  readonly store?: BundleStore | undefined
  /** Ends the wait for the first attempts. What is open is ended by closing it. */
  readonly signal?: AbortSignal | undefined
  /** Told of every change of health, from the start. */
  readonly onHealth?: ((health: RelationshipHealth) => void) | undefined
  /** Told of every fetch, from the start, for a log. */
  readonly onFetch?: ((report: FetchReport) => void) | undefined
  readonly clock?: Clock | undefined
}

/**
 * The bundles of foreign trust domains, fetched from their bundle endpoints by this workload itself and kept fresh: no server and no
 * agent takes part. Each is asked for at the interval that it names (within one minute to 24 hours; five minutes where it names
 * none), also after a failure; meanwhile the last good one stays in use.
 *
 * A relationship says whose SVIDs are accepted here. It does not make the other side accept ours.
 *
 * @example
 * ```ts
 * await using endpoints = await BundleEndpoints.open({
 *   ownTrustDomain: 'example.org',
 *   relationships: [
 *     { trustDomain: 'partner.example', url: 'https://bundles.partner.example/', profile: 'https_web' },
 *   ],
 * })
 * const caller = await verifyJwtSvid(received, 'orders', endpoints.current())
 * ```
 * @see SPIFFE_Federation.md
 */
export class BundleEndpoints implements AsyncDisposable {
  readonly #options: BundleEndpointsOptions
  readonly #ownTrustDomain: TrustDomain
  readonly #clock: Clock
  readonly #pollers = new Map<string, Poller>()
  readonly #ending = new Map<string, Promise<void>>()
  readonly #changes = new Listeners<void>()
  readonly #healthChanges = new Listeners<RelationshipHealth>()
  readonly #fetches = new Listeners<FetchReport>()
  #bundles = bundleSetOf([])
  #revision = 0
  #isClosed = false

  /**
   * Begins to poll. Resolves when each relationship has a bundle, fetched or from the store, or its first attempt has failed: a
   * partner that is away keeps nobody from starting, and `health` tells of it.
   *
   * @throws {@link SallyportError} `RELATIONSHIP_INVALID` for one that is incomplete, with our own trust domain, the second with one
   *   trust domain, in a circle of endpoints that verify each other, or without a bundle that verifies its endpoint;
   *   `TRUST_DOMAIN_INVALID`, `SPIFFE_ID_INVALID`, `BUNDLE_INVALID`, `JSON_INVALID`, `CERTIFICATE_INVALID` for what is in it;
   *   `BUNDLE_STORE_FAILED`; the reason of `signal`
   */
  static async open(options: BundleEndpointsOptions): Promise<BundleEndpoints> {
    options.signal?.throwIfAborted()
    const endpoints = new BundleEndpoints(options)
    return onceReady(endpoints, () => endpoints.#start())
  }

  private constructor(options: BundleEndpointsOptions) {
    this.#options = options
    this.#ownTrustDomain = trustDomainOf(options.ownTrustDomain)
    this.#clock = options.clock ?? systemClock
    if (options.onHealth !== undefined) this.onHealth(options.onHealth)
    if (options.onFetch !== undefined) this.#fetches.add(options.onFetch)
  }

  /**
   * The bundles of this moment, one for each trust domain of which one is known. The same object until the next change.
   *
   * @throws {@link SallyportError} `SOURCE_CLOSED`
   */
  current(): BundleSet {
    this.#checkOpen()
    return this.#bundles
  }

  /** Goes up with every change. */
  get revision(): number {
    return this.#revision
  }

  /** Calls `listener` after every change, when `current()` answers with the new state. Disposing ends it. */
  onChange(listener: () => void): Disposable {
    return this.#changes.add(listener)
  }

  /** The bundles of now and of every later moment until this is closed or `signal` aborts. Whoever is slow misses those in between. */
  async *watch(signal?: AbortSignal): AsyncGenerator<BundleSet> {
    for (let seen: BundleSet | undefined; !this.#isClosed;) {
      signal?.throwIfAborted()
      if (seen === this.#bundles) await this.#changes.next(signal)
      else yield (seen = this.#bundles)
    }
  }

  /** How each relationship is doing, in the order in which they came. */
  get health(): readonly RelationshipHealth[] {
    return [...this.#pollers.values()].map(({ health }) => health)
  }

  /** Calls `listener` with every change of health of any relationship. Disposing ends it. */
  onHealth(listener: (health: RelationshipHealth) => void): Disposable {
    return this.#healthChanges.add(listener)
  }

  /**
   * Begins one more relationship, and waits as {@link BundleEndpoints.open} does.
   *
   * @throws {@link SallyportError} those of `open`, `SOURCE_CLOSED`
   */
  async add(relationship: RelationshipOptions): Promise<void> {
    this.#checkOpen()
    const poller = this.#pollerFor(relationship)
    await this.#ending.get(poller.relationship.trustDomain.name)
    await poller.recall()
    this.#checkOpen()
    this.#check([poller])
    this.#take([poller])
    await untilTried([poller])
  }

  /**
   * Ends a relationship: at once its bundle is in use no more and nothing is asked any more; when this resolves, it is also removed
   * from the store.
   *
   * @throws {@link SallyportError} `RELATIONSHIP_INVALID` when there is none, `BUNDLE_STORE_FAILED`
   */
  async end(trustDomain: TrustDomain | string): Promise<void> {
    const poller = this.#pollerOf(trustDomain)
    const { name } = poller.relationship.trustDomain
    this.#pollers.delete(name)
    const ending = poller.end()
    // Who ends it is told below how that went; others only wait until it is over.
    const settled = ending.catch(() => {}).then(() => void this.#ending.delete(name))
    this.#ending.set(name, settled)
    this.#update()
    await ending
  }

  /**
   * Puts a bundle, as a SPIFFE bundle or PEM, in the place of the one in use, whatever the sequence of either, until the next
   * successful fetch. This repairs a relationship whose endpoint cannot be verified any more, which is then asked at once.
   *
   * @throws {@link SallyportError} `RELATIONSHIP_INVALID` when there is none; `BUNDLE_INVALID`, `JSON_INVALID`, `CERTIFICATE_INVALID`;
   *   `BUNDLE_STORE_FAILED`, when it is in use and not stored; `SOURCE_CLOSED`
   */
  async set(trustDomain: TrustDomain | string, bundle: string): Promise<void> {
    this.#checkOpen()
    const poller = this.#pollerOf(trustDomain)
    await poller.give(parseGivenBundle(bundle, poller.relationship.trustDomain))
  }

  /**
   * Fetches a bundle now, besides the regular times.
   *
   * @throws {@link SallyportError} `BUNDLE_ENDPOINT_FAILED`, `BUNDLE_ENDPOINT_UNTRUSTED`, `BUNDLE_SEQUENCE_OLDER`, `BUNDLE_STALE`,
   *   `BUNDLE_UNKNOWN`; `BUNDLE_INVALID`, `JSON_INVALID`; `BUNDLE_STORE_FAILED`, when it is in use and not stored;
   *   `RELATIONSHIP_INVALID` when there is none; `SOURCE_CLOSED`
   */
  async refresh(trustDomain: TrustDomain | string): Promise<void> {
    this.#checkOpen()
    const { error } = await this.#pollerOf(trustDomain).poll()
    if (error !== undefined) throw error
  }

  /** Stops all polling; what is in the store stays there. Afterwards `current()` refuses. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...[...this.#pollers.values()].map((poller) => poller.close()), ...this.#ending.values()])
    this.#changes.tell()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #start(): Promise<void> {
    const { relationships, store, signal } = this.#options
    const pollers = relationships.map((relationship) => this.#pollerFor(relationship))
    await Promise.all(pollers.map((poller) => poller.recall()))
    this.#check(pollers)
    // Before the first of them writes: what is half written looks like what a crash has left.
    await store?.keepOnly(pollers.map(({ relationship }) => relationship.trustDomain.name))
    this.#take(pollers)
    await untilTried(pollers, signal)
  }

  #pollerFor(options: RelationshipOptions): Poller {
    const poller = new Poller(parseRelationship(options), {
      clock: this.#clock,
      random: Math.random,
      fetch: fetchDocument,
      store: this.#options.store,
      bundleOf: (trustDomain) => this.#bundleOf(trustDomain),
      onChange: () => this.#bundleChanged(poller),
      onHealth: (health) => this.#healthChanges.tell(health),
      onFetch: (report) => this.#fetches.tell(report),
    })
    return poller
  }

  /** Together with those that there are, before any of them begins. */
  #check(pollers: readonly Poller[]): void {
    const all = [...this.#pollers.values(), ...pollers]
    checkRelationships(
      all.map(({ relationship }) => relationship),
      {
        ownTrustDomain: this.#ownTrustDomain,
        knowsOthers: this.#options.bundles !== undefined,
        isKnown: (relationship) => all.some((poller) => poller.relationship === relationship && poller.bundle),
      },
    )
  }

  #take(pollers: readonly Poller[]): void {
    for (const poller of pollers) this.#pollers.set(poller.relationship.trustDomain.name, poller)
    this.#update()
    for (const poller of pollers) {
      const server = this.#pollers.get(otherServerOf(poller.relationship)?.name ?? '')
      // Whose endpoint another bundle verifies can wait for the first attempt to get that one.
      poller.start(server?.bundle === undefined ? server?.firstAttempt : undefined)
    }
  }

  #bundleOf(trustDomain: TrustDomain): Bundle | undefined {
    const poller = this.#pollers.get(trustDomain.name)
    return poller === undefined ? this.#options.bundles?.().get(trustDomain) : poller.bundle
  }

  #pollerOf(trustDomain: TrustDomain | string): Poller {
    const { name } = trustDomainOf(trustDomain)
    const poller = this.#pollers.get(name)
    if (poller === undefined) throw invalid(name, 'there is no such relationship')
    return poller
  }

  #bundleChanged({ relationship }: Poller): void {
    this.#update()
    for (const poller of this.#pollers.values()) {
      if (otherServerOf(poller.relationship)?.equals(relationship.trustDomain) === true) poller.verifierChanged()
    }
  }

  #update(): void {
    this.#bundles = bundleSetOf([...this.#pollers.values()].flatMap(({ bundle }) => bundle ?? []))
    this.#revision++
    this.#changes.tell()
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new SallyportError('SOURCE_CLOSED', 'Cannot use the bundle endpoints: they are closed')
  }
}

/** Whoever has a bundle already waits for no endpoint. */
async function untilTried(pollers: readonly Poller[], signal?: AbortSignal): Promise<void> {
  const waiting = pollers.filter(({ bundle }) => bundle === undefined)
  const tried = Promise.all(waiting.map(({ firstAttempt }) => firstAttempt))
  await orAborted(tried, signal)
}
