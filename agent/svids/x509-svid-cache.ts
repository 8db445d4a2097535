import type { Bundle } from '../../src/bundle/bundle.ts'
import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import type { Log } from '../../src/log/log.ts'
import type { Histogram } from '../../src/metrics/registry.ts'
import { isForWorkloads, type Applied, type Entitlements } from '../entries/entitlements.ts'
import { oldestFirst } from '../entries/selector-index.ts'
import { Wake } from '../entries/wake.ts'
import { SIGN_BATCH_MAX, type Upstream } from '../upstream/upstream.ts'
import { EXPIRY_MARGIN_MS, type HeldX509Svid } from './held-x509-svid.ts'
import { KeyPool } from './key-pool.ts'
import { backoffMs, type Random } from '../upstream/timing.ts'
import { dueForRenewal } from './renewal.ts'
import { signX509Svids } from './sign-x509-svids.ts'

export interface X509SvidCacheDeps {
  readonly entitlements: Entitlements
  readonly upstream: Pick<Upstream, 'signX509Svids'>
  /** While false nothing is attempted: no keys and CSRs for calls that cannot succeed. */
  readonly isConnected: () => boolean
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: Random
  readonly log: Log
  readonly keyType: KeyType
  /** How many key pairs wait ready. */
  readonly keyPoolSize: number
  /** How many SVIDs are made before somebody asks, and kept while nobody uses them. */
  readonly size: number
  readonly signing?: Histogram | undefined
}

/** What there is for a set of entries at this moment. */
export interface SvidsNow {
  /** In the order of the entries. */
  readonly held: readonly HeldX509Svid[]
  /** Being signed for the first time: an answer is near. */
  readonly pending: number
  /** The last attempt failed; tried again until it succeeds. */
  readonly failed: number
}

/** An SVID that is missing or due, on its way. */
interface Order {
  readonly entry: RegistrationEntry
  failures: number
  /** On the monotonic clock. */
  retryAtMs: number
  inFlight: boolean
  /** A stream waits for it. */
  demanded: boolean
}

const BATCHES_IN_FLIGHT = 4
const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
/** The longest sleep of the loop: how late a jump of the wall clock is noticed when no heartbeat tells of it. */
const LONGEST_SLEEP_MS = 30_000

/**
 * The X509-SVIDs that this agent holds, one for each entry: made ahead, renewed at half-life, signed again when their entry or
 * their authority changes, dropped with their entry, never handed out once expired.
 */
export class X509SvidCache {
  readonly #deps: X509SvidCacheDeps
  readonly #keys: KeyPool
  readonly #held = new Map<string, HeldX509Svid>()
  readonly #orders = new Map<string, Order>()
  readonly #watchers = new Map<string, Set<Wake>>()
  readonly #wake = new Wake()
  readonly #changed = new Set<() => void>()
  #batches = 0
  /** Halved when a call fails, doubled when one succeeds: a server that is slow or limits us gets less at once. */
  #batchSize = SIGN_BATCH_MAX

  constructor(deps: X509SvidCacheDeps) {
    this.#deps = deps
    this.#keys = new KeyPool(deps.cryptography, deps.keyType, deps.keyPoolSize)
  }

  get size(): number {
    return this.#held.size
  }

  held(): Iterable<HeldX509Svid> {
    return this.#held.values()
  }

  get(entryId: string): HeldX509Svid | undefined {
    return this.#held.get(entryId)
  }

  /** Puts back what was kept over a restart, as far as it is still good for an entry. */
  restore(saved: Iterable<HeldX509Svid>): void {
    for (const svid of saved) {
      const entry = this.#deps.entitlements.entry(svid.entryId)
      if (entry !== undefined && isFor(svid, entry) && this.#isLive(svid)) this.#held.set(svid.entryId, svid)
    }
    this.#checkAuthorities()
  }

  /** What there is for these entries; what is missing is ordered, before everything else. */
  now(entries: readonly RegistrationEntry[]): SvidsNow {
    const held: HeldX509Svid[] = []
    let pending = 0
    let failed = 0
    for (const entry of entries) {
      const svid = this.#held.get(entry.id)
      if (svid !== undefined && this.#isLive(svid) && isFor(svid, entry)) {
        this.#touch(svid)
        held.push(svid)
        continue
      }
      const order = this.#order(entry, true)
      if (order.failures === 0) pending++
      else failed++
      // An older state of the same identity is better than none while the server cannot be asked.
      if (order.failures > 0 && svid !== undefined && this.#isLive(svid) && svid.spiffeId.equals(entry.spiffeId))
        held.push(svid)
    }
    return { held, pending, failed }
  }

  /** Rings `wake` whenever the SVID of one of these entries changes, is refused or expires. */
  watch(entryIds: Iterable<string>, wake: Wake): Disposable {
    const ids = [...entryIds]
    for (const id of ids) this.#watchers.set(id, (this.#watchers.get(id) ?? new Set<Wake>()).add(wake))
    return {
      [Symbol.dispose]: () => {
        for (const id of ids) {
          const wakes = this.#watchers.get(id)
          wakes?.delete(wake)
          if (wakes?.size === 0) this.#watchers.delete(id)
        }
      },
    }
  }

  /** Calls `listener` after SVIDs were made or dropped, for whoever saves them. */
  onChanged(listener: () => void): Disposable {
    this.#changed.add(listener)
    return { [Symbol.dispose]: () => void this.#changed.delete(listener) }
  }

  /** Tries again now what failed before: the server can be reached again, or time has jumped. */
  hurry(): void {
    for (const order of this.#orders.values()) order.retryAtMs = 0
    this.#wake.ring()
  }

  /** Signs what is missing and renews what is due, until the signal aborts. */
  async run(signal: AbortSignal): Promise<never> {
    using _listening = this.#deps.entitlements.onApplied((applied) => this.#onApplied(applied))
    using _standing = this.#deps.entitlements.onStanding((isOther) => this.#onStanding(isOther))
    this.#keys.refill()
    this.#prefetch()
    for (;;) {
      this.#dropExpired()
      this.#orderDue()
      this.#startBatches(signal)
      await this.#sleep(signal)
    }
  }

  #onApplied({ changedEntryIds, removedEntryIds, bundlesChanged }: Applied): void {
    for (const id of removedEntryIds) {
      if (this.#deps.entitlements.entry(id) !== undefined) continue
      this.#orders.delete(id)
      this.#drop(id)
    }
    for (const id of changedEntryIds) {
      const entry = this.#deps.entitlements.entry(id)
      const order = this.#orders.get(id)
      // The order of the earlier state would be signed for the new one all the same, but may have failed for its own reasons.
      if (order !== undefined && !order.inFlight) this.#orders.delete(id)
      const held = this.#held.get(id)
      if (entry !== undefined && held !== undefined) this.#order(entry, false)
      if (entry !== undefined && order?.demanded) this.#order(entry, true)
    }
    if (bundlesChanged) this.#checkAuthorities()
    this.#prefetch()
    this.#wake.ring()
  }

  /** A serial number that was revoked opens nothing any more, so another one is signed; who is let go again must not wait long. */
  #onStanding(isOther: boolean): void {
    for (const svid of this.#held.values()) {
      if (!this.#isRevoked(svid)) continue
      const entry = this.#deps.entitlements.entry(svid.entryId)
      this.#drop(svid.entryId)
      if (entry !== undefined) this.#order(entry, true)
    }
    if (isOther) this.hurry()
  }

  /** SVIDs of a tainted authority are replaced at once; those of one that is gone cannot be verified by anybody any more. */
  #checkAuthorities(): void {
    const bundle = this.#deps.entitlements.ownBundle
    if (bundle === undefined) return
    const states = authorityStates(bundle)
    for (const svid of this.#held.values()) {
      if (svid.authorityKeyId === undefined) continue
      const state = states.get(svid.authorityKeyId)
      const entry = this.#deps.entitlements.entry(svid.entryId)
      if (state === 'good' || entry === undefined) continue
      if (state === undefined) this.#drop(svid.entryId)
      this.#order(entry, state === undefined)
    }
  }

  /** Orders what nobody has asked for yet, oldest registration first, as far as there is room. */
  #prefetch(): void {
    const { entitlements, size } = this.#deps
    let room = size - this.#held.size - this.#orders.size
    if (room <= 0) return
    for (const entry of [...entitlements.entries.values()].toSorted(oldestFirst)) {
      if (room <= 0) return
      if (entry.x509PrefetchDisabled || !isForWorkloads(entry)) continue
      if (this.#held.has(entry.id) || this.#orders.has(entry.id)) continue
      this.#order(entry, false)
      room--
    }
  }

  #order(entry: RegistrationEntry, demanded: boolean): Order {
    const known = this.#orders.get(entry.id)
    if (known !== undefined) {
      known.demanded ||= demanded
      return known
    }
    const order = { entry, failures: 0, retryAtMs: 0, inFlight: false, demanded }
    this.#orders.set(entry.id, order)
    this.#wake.ring()
    return order
  }

  #dropExpired(): void {
    for (const svid of this.#held.values()) {
      if (!this.#isLive(svid)) this.#drop(svid.entryId)
    }
  }

  #orderDue(): void {
    const { entitlements, clock } = this.#deps
    for (const { entryId } of dueForRenewal(this.#held.values(), clock.now())) {
      const entry = entitlements.entry(entryId)
      if (entry !== undefined) this.#order(entry, false)
    }
  }

  #startBatches(signal: AbortSignal): void {
    while (this.#batches < BATCHES_IN_FLIGHT) {
      const nowMs = this.#deps.clock.monotonicMs()
      const due = [...this.#orders.values()].filter((order) => !order.inFlight && order.retryAtMs <= nowMs)
      if (due.length === 0) return
      if (!this.#deps.isConnected()) return this.#failAll(due)
      const batch = due.toSorted((a, b) => this.#urgency(a) - this.#urgency(b)).slice(0, this.#batchSize)
      for (const order of batch) order.inFlight = true
      this.#batches++
      void this.#sign(batch, signal)
    }
  }

  #failAll(orders: readonly Order[]): void {
    for (const order of orders) {
      this.#fail(order, new SallyportError('SERVER_UNREACHABLE', 'Cannot sign X509-SVIDs: not connected to the server'))
      this.#ring(order.entry.id)
    }
  }

  /** What a stream waits for comes first, then what expires soonest. */
  #urgency({ entry, demanded }: Order): number {
    const expiresAt = this.#held.get(entry.id)?.notAfter.getTime()
    return demanded ? -Infinity : (expiresAt ?? Number.MAX_SAFE_INTEGER)
  }

  async #sign(batch: readonly Order[], signal: AbortSignal): Promise<void> {
    const { clock, log, signing } = this.#deps
    const started = clock.monotonicMs()
    try {
      const entries = batch.map(({ entry }) => this.#deps.entitlements.entry(entry.id) ?? entry)
      const results = await signX509Svids(entries, { ...this.#deps, keys: this.#keys }, signal)
      this.#batchSize = Math.min(SIGN_BATCH_MAX, this.#batchSize * 2)
      signing?.observe((clock.monotonicMs() - started) / 1000)
      for (const [index, order] of batch.entries()) this.#settle(order, entries[index], results[index])
    } catch (error) {
      this.#batchSize = Math.max(1, Math.ceil(batch.length / 2))
      if (!signal.aborted) log.warn({ err: error }, 'X509-SVIDs could not be signed')
      for (const order of batch) this.#settle(order, order.entry, error)
    } finally {
      this.#batches--
      this.#wake.ring()
      for (const listener of this.#changed) listener()
    }
  }

  #settle(order: Order, signedFor: RegistrationEntry | undefined, result: unknown): void {
    order.inFlight = false
    const { id } = order.entry
    const entry = this.#deps.entitlements.entry(id)
    const svid = isHeld(result) ? result : undefined
    if (entry === undefined || this.#orders.get(id) !== order) {
      // Removed meanwhile, or ordered anew.
      if (this.#orders.get(id) === order) this.#orders.delete(id)
      return
    }
    if (svid === undefined) {
      this.#fail(order, result)
      return this.#ring(id)
    }
    this.#orders.delete(id)
    this.#held.delete(id)
    this.#held.set(id, svid)
    this.#deps.log.info(
      { spiffeId: svid.spiffeId, entryId: id, expiresAt: svid.notAfter, serialNumber: svid.serialNumber.toString(16) },
      'Holds X509-SVID',
    )
    // The entry changed while the server signed: it may have signed either state.
    if (signedFor !== entry) this.#order(entry, order.demanded)
    this.#evict()
    this.#ring(id)
  }

  #fail(order: Order, error: unknown): void {
    order.failures++
    const wait = backoffMs(order.failures, FIRST_RETRY_MS, LAST_RETRY_MS, this.#deps.random)
    order.retryAtMs = this.#deps.clock.monotonicMs() + wait
    const fields = { entryId: order.entry.id, spiffeId: order.entry.spiffeId, err: error }
    if (order.failures === 1) this.#deps.log.debug(fields, 'X509-SVID was not signed')
  }

  /** Keeps the cache to its size by dropping what was used longest ago and no stream waits on. */
  #evict(): void {
    if (this.#held.size <= this.#deps.size) return
    for (const id of this.#held.keys()) {
      if (this.#held.size <= this.#deps.size) return
      if (!this.#watchers.has(id)) this.#held.delete(id)
    }
  }

  /** A Map keeps the order of insertion: the first is the one used longest ago. */
  #touch(svid: HeldX509Svid): void {
    if (this.#held.size < this.#deps.size) return
    this.#held.delete(svid.entryId)
    this.#held.set(svid.entryId, svid)
  }

  #drop(id: string): void {
    if (!this.#held.delete(id)) return
    this.#ring(id)
    for (const listener of this.#changed) listener()
  }

  #ring(id: string): void {
    for (const wake of this.#watchers.get(id) ?? []) wake.ring()
  }

  /** It is worth something to a workload: it has not expired, and nobody has revoked it. */
  #isLive(svid: HeldX509Svid): boolean {
    return svid.notAfter.getTime() - EXPIRY_MARGIN_MS > this.#deps.clock.now().getTime() && !this.#isRevoked(svid)
  }

  #isRevoked({ spiffeId, serialNumber }: HeldX509Svid): boolean {
    return this.#deps.entitlements.standing.isRevoked(spiffeId.toString(), serialNumber.toString(16))
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    using _timer = clock.timer(Math.max(0, Math.min(this.#nextMs(), LONGEST_SLEEP_MS)), () => this.#wake.ring())
    await this.#wake.wait(signal)
  }

  /** Milliseconds until something is due, expires or may be tried again. */
  #nextMs(): number {
    const { clock } = this.#deps
    const now = clock.now().getTime()
    const nowMs = clock.monotonicMs()
    let next = LONGEST_SLEEP_MS
    for (const svid of this.#held.values()) {
      if (!this.#orders.has(svid.entryId)) next = Math.min(next, svid.renewAt.getTime() - now)
      next = Math.min(next, svid.notAfter.getTime() - EXPIRY_MARGIN_MS - now)
    }
    for (const order of this.#orders.values()) if (!order.inFlight) next = Math.min(next, order.retryAtMs - nowMs)
    return this.#batches >= BATCHES_IN_FLIGHT ? Math.max(next, FIRST_RETRY_MS) : next
  }
}

/** Was this signed for the entry as it is now? */
function isFor(svid: HeldX509Svid, entry: RegistrationEntry): boolean {
  return (
    svid.entryRevision === entry.revisionNumber &&
    svid.entryCreatedAt.getTime() === entry.createdAt.getTime() &&
    svid.spiffeId.equals(entry.spiffeId)
  )
}

const isHeld = (value: unknown): value is HeldX509Svid =>
  typeof value === 'object' && value !== null && 'chain' in value && 'privateKey' in value

function authorityStates(bundle: Bundle): Map<string, 'good' | 'tainted'> {
  return new Map(
    bundle.x509Authorities.flatMap(({ certificate, tainted }) => {
      const keyId = certificate.subjectKeyId?.toString('hex')
      return keyId === undefined ? [] : [[keyId, tainted ? ('tainted' as const) : ('good' as const)]]
    }),
  )
}
