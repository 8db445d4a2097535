import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import type { Log } from '../../src/log/log.ts'
import type { Applied, Entitlements } from '../entries/entitlements.ts'
import { Wake } from '../entries/wake.ts'
import { backoffMs, type Random } from '../upstream/timing.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { EXPIRY_MARGIN_MS } from './held-x509-svid.ts'
import type { HeldWitSvid } from './held-wit-svid.ts'
import { KeyPool } from './key-pool.ts'
import { signWitSvids } from './sign-wit-svids.ts'

export interface WitSvidCacheDeps {
  readonly entitlements: Entitlements
  readonly upstream: Pick<Upstream, 'signWitSvids'>
  /** While false nothing is attempted: no keys for calls that cannot succeed. */
  readonly isConnected: () => boolean
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: Random
  readonly log: Log
  readonly keyType: KeyType
  /** How many key pairs wait ready, from the first that is needed on. */
  readonly keyPoolSize: number
}

/** What there is for a set of entries at this moment. */
export interface WitSvidsNow {
  /** In the order of the entries. */
  readonly held: readonly HeldWitSvid[]
  /** Being signed for the first time: an answer is near. */
  readonly pending: number
  /** Why the last attempt for one of them failed; it is tried again until it succeeds. */
  readonly failure: Error | undefined
}

/** A WIT-SVID that is missing or due, on its way. */
interface Order {
  readonly entry: RegistrationEntry
  failures: number
  failure: Error | undefined
  /** On the monotonic clock. */
  retryAtMs: number
  inFlight: boolean
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000
/** The longest sleep of the loop: how late a jump of the wall clock is noticed when nothing tells of it. */
const LONGEST_SLEEP_MS = 30_000

/**
 * The WIT-SVIDs that this agent holds, one for each entry that a workload has asked about: signed when they are first asked for,
 * renewed at half-life with a new key while a stream waits for them and dropped then when none does, signed again when their entry
 * or their authority changes, never handed out once expired. Instances of one identity on this node share one (WI-22).
 */
export class WitSvidCache {
  readonly #deps: WitSvidCacheDeps
  readonly #keys: KeyPool
  readonly #held = new Map<string, HeldWitSvid>()
  readonly #orders = new Map<string, Order>()
  readonly #watchers = new Map<string, Set<Wake>>()
  readonly #wake = new Wake()

  constructor(deps: WitSvidCacheDeps) {
    this.#deps = deps
    this.#keys = new KeyPool(deps.cryptography, deps.keyType, deps.keyPoolSize)
  }

  get size(): number {
    return this.#held.size
  }

  /** What there is for these entries; what is missing is ordered. Whoever asks watches them already, else nothing comes of it. */
  now(entries: readonly RegistrationEntry[]): WitSvidsNow {
    const held: HeldWitSvid[] = []
    let pending = 0
    let failure: Error | undefined
    for (const entry of entries) {
      const svid = this.#held.get(entry.id)
      if (svid !== undefined && this.#isLive(svid) && isFor(svid, entry)) {
        held.push(svid)
        continue
      }
      const order = this.#order(entry)
      failure ??= order.failure
      if (order.failure === undefined) pending++
      // An older state of the same identity is better than none while the server cannot be asked.
      else if (svid !== undefined && this.#isLive(svid) && svid.spiffeId.equals(entry.spiffeId)) held.push(svid)
    }
    return { held, pending, failure }
  }

  /** Rings `wake` whenever the WIT-SVID of one of these entries changes, is refused or expires. */
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

  /** Tries again now what failed before: the server can be reached again, or time has jumped. */
  hurry(): void {
    for (const order of this.#orders.values()) order.retryAtMs = 0
    this.#wake.ring()
  }

  /** Signs what is missing and renews what is due, until the signal aborts. */
  async run(signal: AbortSignal): Promise<never> {
    using _listening = this.#deps.entitlements.onApplied((applied) => this.#onApplied(applied))
    // Who is let go again must not wait for what failed before.
    using _standing = this.#deps.entitlements.onStanding((isOther) => isOther && this.hurry())
    for (;;) {
      this.#dropUnwatchedOrders()
      this.#renewOrDrop()
      this.#sign(signal)
      await this.#sleep(signal)
    }
  }

  #onApplied({ changedEntryIds, removedEntryIds, bundlesChanged }: Applied): void {
    const { entitlements } = this.#deps
    for (const id of [...removedEntryIds, ...changedEntryIds]) {
      const order = this.#orders.get(id)
      // The order of the earlier state may have failed for its own reasons.
      if (order !== undefined && !order.inFlight) this.#orders.delete(id)
      if (entitlements.entry(id) === undefined) this.#drop(id)
      else this.#replace(id)
    }
    if (bundlesChanged) {
      this.#checkAuthorities()
      // What could not be verified with the bundles of before may be with these.
      this.hurry()
    }
    this.#wake.ring()
  }

  /** WIT-SVIDs of a tainted authority are replaced at once; those of one that is gone cannot be verified by anybody any more. */
  #checkAuthorities(): void {
    const authorities = this.#deps.entitlements.ownBundle?.witAuthorities ?? []
    const tainted = new Map(authorities.map((one) => [one.keyId, one.tainted]))
    for (const { entryId, keyId } of this.#held.values()) {
      const isTainted = tainted.get(keyId)
      if (isTainted === false) continue
      if (isTainted === undefined) this.#drop(entryId)
      else this.#replace(entryId)
    }
  }

  /** Orders another one while somebody watches, and keeps the one that is held until it comes. */
  #replace(id: string): void {
    const entry = this.#deps.entitlements.entry(id)
    if (entry !== undefined && this.#watchers.has(id)) this.#order(entry)
    else this.#drop(id)
  }

  #order(entry: RegistrationEntry): Order {
    const known = this.#orders.get(entry.id)
    if (known !== undefined) return known
    const order: Order = { entry, failures: 0, failure: undefined, retryAtMs: 0, inFlight: false }
    this.#orders.set(entry.id, order)
    this.#wake.ring()
    return order
  }

  #dropUnwatchedOrders(): void {
    for (const [id, { inFlight }] of this.#orders) {
      if (!inFlight && !this.#watchers.has(id)) this.#orders.delete(id)
    }
  }

  #renewOrDrop(): void {
    const now = this.#deps.clock.now()
    for (const svid of this.#held.values()) {
      if (!this.#isLive(svid)) this.#drop(svid.entryId)
      else if (svid.renewAt <= now) this.#replace(svid.entryId)
    }
  }

  #sign(signal: AbortSignal): void {
    const nowMs = this.#deps.clock.monotonicMs()
    const due = [...this.#orders.values()].filter((order) => !order.inFlight && order.retryAtMs <= nowMs)
    if (due.length === 0) return
    if (!this.#deps.isConnected()) {
      const error = new SallyportError('SERVER_UNREACHABLE', 'Cannot sign WIT-SVIDs: not connected to the server')
      for (const order of due) this.#fail(order, error)
      return
    }
    for (const order of due) order.inFlight = true
    void this.#signBatch(due, signal)
  }

  async #signBatch(batch: readonly Order[], signal: AbortSignal): Promise<void> {
    const { entitlements, log } = this.#deps
    const entries = batch.map(({ entry }) => entitlements.entry(entry.id) ?? entry)
    try {
      const results = await signWitSvids(entries, { ...this.#deps, keys: this.#keys }, signal)
      for (const [index, order] of batch.entries()) this.#settle(order, entries[index], results[index])
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'WIT-SVIDs could not be signed')
      for (const order of batch) this.#settle(order, order.entry, error as Error)
    } finally {
      this.#wake.ring()
    }
  }

  #settle(order: Order, signedFor: RegistrationEntry | undefined, result: HeldWitSvid | Error | undefined): void {
    order.inFlight = false
    const { id } = order.entry
    const entry = this.#deps.entitlements.entry(id)
    if (entry === undefined) {
      this.#orders.delete(id)
      return
    }
    if (result === undefined || result instanceof Error) return this.#fail(order, result)
    this.#orders.delete(id)
    this.#held.set(id, result)
    const { spiffeId, expiresAt } = result
    this.#deps.log.info({ spiffeId, entryId: id, expiresAt, authorityId: result.keyId }, 'Holds WIT-SVID')
    // The entry changed while the server signed: it may have signed either state.
    if (signedFor !== entry) this.#replace(id)
    this.#ring(id)
  }

  #fail(order: Order, error: Error | undefined): void {
    const { clock, random, log } = this.#deps
    order.failures++
    order.failure = error ?? new SallyportError('INTERNAL', 'Cannot sign a WIT-SVID: its answer was lost')
    order.retryAtMs = clock.monotonicMs() + backoffMs(order.failures, FIRST_RETRY_MS, LAST_RETRY_MS, random)
    const { entry, failures, failure } = order
    if (failures === 1) {
      log.debug({ entryId: entry.id, spiffeId: entry.spiffeId, err: failure }, 'WIT-SVID was not signed')
    }
    this.#ring(entry.id)
  }

  #drop(id: string): void {
    if (this.#held.delete(id)) this.#ring(id)
  }

  #ring(id: string): void {
    for (const wake of this.#watchers.get(id) ?? []) wake.ring()
  }

  #isLive({ expiresAt }: HeldWitSvid): boolean {
    return expiresAt.getTime() - EXPIRY_MARGIN_MS > this.#deps.clock.now().getTime()
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    const ms = Math.max(0, Math.min(this.#nextMs(), LONGEST_SLEEP_MS))
    using _timer = this.#deps.clock.timer(ms, () => this.#wake.ring())
    await this.#wake.wait(signal)
  }

  /** Milliseconds until something is due, expires or may be tried again. */
  #nextMs(): number {
    const { clock } = this.#deps
    const now = clock.now().getTime()
    const nowMs = clock.monotonicMs()
    let next = LONGEST_SLEEP_MS
    for (const { entryId, renewAt, expiresAt } of this.#held.values()) {
      if (!this.#orders.has(entryId)) next = Math.min(next, renewAt.getTime() - now)
      next = Math.min(next, expiresAt.getTime() - EXPIRY_MARGIN_MS - now)
    }
    for (const order of this.#orders.values()) if (!order.inFlight) next = Math.min(next, order.retryAtMs - nowMs)
    return next
  }
}

/** Was this signed for the entry as it is now? */
function isFor(svid: HeldWitSvid, entry: RegistrationEntry): boolean {
  return (
    svid.entryRevision === entry.revisionNumber &&
    svid.entryCreatedAt.getTime() === entry.createdAt.getTime() &&
    svid.spiffeId.equals(entry.spiffeId)
  )
}
