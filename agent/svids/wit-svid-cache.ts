import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import type { Applied } from '../entries/entitlements.ts'
import { Wake } from '../entries/wake.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { distrusted } from './distrusted.ts'
import { isLive } from './held-svid.ts'
import type { HeldWitSvid } from './held-wit-svid.ts'
import { KeyPool } from './key-pool.ts'
import { Orders, type OrdersDeps } from './orders.ts'
import { dueForRenewal } from './renewal.ts'
import { signWitSvids } from './sign-wit-svids.ts'
import { sleepUntilDue } from './sleep-until-due.ts'
import { type SvidsNow, svidsNow } from './svids-now.ts'
import { Watchers } from './watchers.ts'

export interface WitSvidCacheDeps extends OrdersDeps {
  readonly upstream: Pick<Upstream, 'signWitSvids'>
  readonly cryptography: Cryptography
  readonly keyType: KeyType
  /** How many key pairs wait ready, from the first that is needed on. */
  readonly keyPoolSize: number
}

/**
 * The WIT-SVIDs that this agent holds, one for each entry that a workload has asked about: signed when they are first asked for,
 * renewed at half-life with a new key while a stream waits for them and dropped then when none does, signed again when their entry
 * or their authority changes, never handed out once expired. Instances of one identity on this node share one (WI-22).
 */
export class WitSvidCache {
  readonly #deps: WitSvidCacheDeps
  readonly #held = new Map<string, HeldWitSvid>()
  readonly #orders: Orders<HeldWitSvid>
  readonly #watchers = new Watchers()
  readonly #wake = new Wake()

  constructor(deps: WitSvidCacheDeps) {
    this.#deps = deps
    const keys = new KeyPool(deps.cryptography, deps.keyType, deps.keyPoolSize)
    this.#orders = new Orders(deps, {
      kind: 'WIT-SVID',
      wake: this.#wake,
      watchers: this.#watchers,
      sign: (entries, signal) => signWitSvids(entries, { ...deps, keys }, signal),
      keep: (svid) => this.#keep(svid),
      outdated: ({ id }) => this.#replace(id),
    })
  }

  get size(): number {
    return this.#held.size
  }

  /** What there is for these entries; what is missing is ordered. Whoever asks watches them already, else nothing comes of it. */
  now(entries: readonly RegistrationEntry[]): SvidsNow<HeldWitSvid> {
    return svidsNow(
      entries,
      ({ id }) => this.#live(id),
      (entry) => this.#orders.place(entry),
    )
  }

  /** Rings `wake` whenever the WIT-SVID of one of these entries changes, is refused or expires. */
  watch(entryIds: Iterable<string>, wake: Wake): Disposable {
    return this.#watchers.watch(entryIds, wake)
  }

  /** Tries again now what failed before: the server can be reached again, or time has jumped. */
  hurry(): void {
    this.#orders.hurry()
  }

  /** Signs what is missing and renews what is due, until the signal aborts. */
  async run(signal: AbortSignal): Promise<never> {
    const { entitlements, clock } = this.#deps
    using _listening = entitlements.onApplied((applied) => this.#onApplied(applied))
    // Who is let go again must not wait for what failed before.
    using _standing = entitlements.onStanding((isOther) => isOther && this.hurry())
    for (;;) {
      this.#orders.withdrawUnwatched()
      this.#dropExpired()
      for (const { entryId } of dueForRenewal(this.#held.values(), clock.now())) this.#replace(entryId)
      const due = this.#orders.due()
      if (due.length > 0) void this.#orders.fulfil(due, signal)
      await sleepUntilDue({ held: this.#held.values(), orders: this.#orders, clock, wake: this.#wake }, signal)
    }
  }

  #onApplied({ changedEntryIds, removedEntryIds, bundlesChanged }: Applied): void {
    for (const id of [...removedEntryIds, ...changedEntryIds]) {
      // The order of the earlier state may have failed for its own reasons.
      this.#orders.withdraw(id)
      this.#replace(id)
    }
    if (bundlesChanged) {
      this.#checkAuthorities()
      // What could not be verified with the bundles of before may be with these.
      this.hurry()
    }
    this.#wake.ring()
  }

  #checkAuthorities(): void {
    const authorities = this.#deps.entitlements.ownBundle?.witAuthorities ?? []
    for (const { entryId, isVerifiable } of distrusted(this.#held.values(), authorities)) {
      if (isVerifiable) this.#replace(entryId)
      else this.#drop(entryId)
    }
  }

  /** Orders another one while somebody watches, and keeps the one that is held until it comes. */
  #replace(id: string): void {
    const entry = this.#deps.entitlements.entry(id)
    if (entry !== undefined && this.#watchers.has(id)) this.#orders.place(entry)
    else this.#drop(id)
  }

  #dropExpired(): void {
    for (const id of this.#held.keys()) if (this.#live(id) === undefined) this.#drop(id)
  }

  #keep(svid: HeldWitSvid): void {
    const { spiffeId, entryId, notAfter, authorityKeyId } = svid
    this.#held.set(entryId, svid)
    this.#deps.log.info({ spiffeId, entryId, expiresAt: notAfter, authorityId: authorityKeyId }, 'Holds WIT-SVID')
  }

  #drop(id: string): void {
    if (this.#held.delete(id)) this.#watchers.ring(id)
  }

  #live(id: string): HeldWitSvid | undefined {
    const svid = this.#held.get(id)
    return svid !== undefined && isLive(svid, this.#deps.clock.now()) ? svid : undefined
  }
}
