import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import type { Histogram } from '../../src/metrics/registry.ts'
import type { Applied } from '../entries/entitlements.ts'
import { Wake } from '../entries/wake.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { distrusted } from './distrusted.ts'
import { isFor, isLive } from './held-svid.ts'
import type { HeldX509Svid } from './held-x509-svid.ts'
import { KeyPool } from './key-pool.ts'
import { type Order, Orders, type OrdersDeps } from './orders.ts'
import { Pace } from './pace.ts'
import { toPrefetch } from './prefetch.ts'
import { dueForRenewal } from './renewal.ts'
import { signX509Svids } from './sign-x509-svids.ts'
import { sleepUntilDue } from './sleep-until-due.ts'
import { type SvidsNow, svidsNow } from './svids-now.ts'
import { Watchers } from './watchers.ts'

export interface X509SvidCacheDeps extends OrdersDeps {
  readonly upstream: Pick<Upstream, 'signX509Svids'>
  readonly cryptography: Cryptography
  readonly keyType: KeyType
  /** How many key pairs wait ready. */
  readonly keyPoolSize: number
  /** How many SVIDs are made before somebody asks, and kept while nobody uses them. */
  readonly size: number
  readonly signing?: Histogram | undefined
}

/** While no further call may be made, what is due waits for the end of one, which wakes. */
const FULL_SLEEP_MS = 500

/**
 * The X509-SVIDs that this agent holds, one for each entry: made ahead, renewed at half-life, signed again when their entry or
 * their authority changes, dropped with their entry, never handed out once expired.
 */
export class X509SvidCache {
  readonly #deps: X509SvidCacheDeps
  readonly #keys: KeyPool
  /** The first is the one used longest ago. */
  readonly #held = new Map<string, HeldX509Svid>()
  readonly #orders: Orders<HeldX509Svid>
  /** Those that a stream waits for. */
  readonly #demanded = new WeakSet<Order>()
  readonly #watchers = new Watchers()
  readonly #wake = new Wake()
  readonly #changed = new Set<() => void>()
  readonly #pace = new Pace()

  constructor(deps: X509SvidCacheDeps) {
    this.#deps = deps
    this.#keys = new KeyPool(deps.cryptography, deps.keyType, deps.keyPoolSize)
    this.#orders = new Orders(deps, {
      kind: 'X509-SVID',
      wake: this.#wake,
      watchers: this.#watchers,
      sign: (entries, signal) => this.#pace.keepWhile(entries.length, () => this.#sign(entries, signal)),
      keep: (svid) => this.#keep(svid),
      outdated: (entry, order) => this.#order(entry, this.#demanded.has(order)),
    })
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
      if (entry !== undefined && isFor(svid, entry) && this.#isUsable(svid)) this.#held.set(svid.entryId, svid)
    }
    this.#checkAuthorities()
  }

  /** What there is for these entries; what is missing is ordered, before everything else. */
  now(entries: readonly RegistrationEntry[]): SvidsNow<HeldX509Svid> {
    return svidsNow(
      entries,
      (entry) => this.#use(entry),
      (entry) => this.#order(entry, true),
    )
  }

  /** Rings `wake` whenever the SVID of one of these entries changes, is refused or expires. */
  watch(entryIds: Iterable<string>, wake: Wake): Disposable {
    return this.#watchers.watch(entryIds, wake)
  }

  /** Calls `listener` after SVIDs were made or dropped, for whoever saves them. */
  onChanged(listener: () => void): Disposable {
    this.#changed.add(listener)
    return { [Symbol.dispose]: () => void this.#changed.delete(listener) }
  }

  /** Tries again now what failed before: the server can be reached again, or time has jumped. */
  hurry(): void {
    this.#orders.hurry()
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
      this.#orders.cancel(id)
      this.#drop(id)
    }
    for (const id of changedEntryIds) {
      const entry = this.#deps.entitlements.entry(id)
      const order = this.#orders.get(id)
      // The order of the earlier state would be signed for the new one all the same, but may have failed for its own reasons.
      this.#orders.withdraw(id)
      const held = this.#held.get(id)
      if (entry !== undefined && held !== undefined) this.#order(entry, false)
      if (entry !== undefined && order !== undefined && this.#demanded.has(order)) this.#order(entry, true)
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

  #checkAuthorities(): void {
    const bundle = this.#deps.entitlements.ownBundle
    if (bundle === undefined) return
    const signers = bundle.x509Authorities.map(({ certificate: { subjectKeyId }, tainted }) => ({
      ...{ keyId: subjectKeyId?.toString('hex'), tainted },
    }))
    for (const { entryId, isVerifiable } of distrusted(this.#held.values(), signers)) {
      const entry = this.#deps.entitlements.entry(entryId)
      if (entry === undefined) continue
      if (!isVerifiable) this.#drop(entryId)
      this.#order(entry, !isVerifiable)
    }
  }

  #prefetch(): void {
    const room = this.#deps.size - this.#held.size - this.#orders.size
    const isThere = (id: string): boolean => this.#held.has(id) || this.#orders.has(id)
    for (const entry of toPrefetch(this.#deps.entitlements.entries.values(), room, isThere)) this.#order(entry, false)
  }

  #order(entry: RegistrationEntry, isDemanded: boolean): Order {
    const order = this.#orders.place(entry)
    if (isDemanded) this.#demanded.add(order)
    return order
  }

  #dropExpired(): void {
    for (const svid of this.#held.values()) {
      if (!this.#isUsable(svid)) this.#drop(svid.entryId)
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
    while (!this.#pace.isFull) {
      const due = this.#orders.due()
      if (due.length === 0) return
      const batch = due.toSorted((a, b) => this.#urgency(a) - this.#urgency(b)).slice(0, this.#pace.batchSize)
      void this.#orders.fulfil(batch, signal).then(() => this.#tellChanged())
    }
  }

  /** What a stream waits for comes first, then what expires soonest. */
  #urgency(order: Order): number {
    const expiresAt = this.#held.get(order.entry.id)?.notAfter.getTime()
    return this.#demanded.has(order) ? -Infinity : (expiresAt ?? Number.MAX_SAFE_INTEGER)
  }

  async #sign(entries: readonly RegistrationEntry[], signal: AbortSignal): Promise<readonly (HeldX509Svid | Error)[]> {
    const { clock, signing } = this.#deps
    const started = clock.monotonicMs()
    const results = await signX509Svids(entries, { ...this.#deps, keys: this.#keys }, signal)
    signing?.observe((clock.monotonicMs() - started) / 1000)
    return results
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    const leastMs = this.#pace.isFull ? FULL_SLEEP_MS : 0
    const awaited = { held: this.#held.values(), orders: this.#orders, clock: this.#deps.clock, wake: this.#wake }
    await sleepUntilDue({ ...awaited, leastMs }, signal)
  }

  #keep(svid: HeldX509Svid): void {
    const { spiffeId, entryId, notAfter, serialNumber } = svid
    this.#held.delete(entryId)
    this.#held.set(entryId, svid)
    this.#deps.log.info(
      { spiffeId, entryId, expiresAt: notAfter, serialNumber: serialNumber.toString() },
      'Holds X509-SVID',
    )
    this.#evict()
  }

  /** Keeps the cache to its size by dropping what was used longest ago and no stream waits on. */
  #evict(): void {
    if (this.#held.size <= this.#deps.size) return
    for (const id of this.#held.keys()) {
      if (this.#held.size <= this.#deps.size) return
      if (!this.#watchers.has(id)) this.#held.delete(id)
    }
  }

  /** The SVID of an entry, if it is good to hand out: used last, when it is for the entry as it is now. */
  #use(entry: RegistrationEntry): HeldX509Svid | undefined {
    const svid = this.#held.get(entry.id)
    if (svid === undefined || !this.#isUsable(svid)) return undefined
    if (this.#held.size >= this.#deps.size && isFor(svid, entry)) {
      this.#held.delete(entry.id)
      this.#held.set(entry.id, svid)
    }
    return svid
  }

  #drop(id: string): void {
    if (!this.#held.delete(id)) return
    this.#watchers.ring(id)
    this.#tellChanged()
  }

  #tellChanged(): void {
    for (const listener of this.#changed) listener()
  }

  /** It is worth something to a workload: it has not expired, and nobody has revoked it. */
  #isUsable(svid: HeldX509Svid): boolean {
    return isLive(svid, this.#deps.clock.now()) && !this.#isRevoked(svid)
  }

  #isRevoked({ spiffeId, serialNumber }: HeldX509Svid): boolean {
    return this.#deps.entitlements.standing.isRevoked(spiffeId.toString(), serialNumber.toString(16))
  }
}
