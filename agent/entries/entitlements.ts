import { isDeepStrictEqual } from 'node:util'
import type { Bundle } from '../../src/bundle/bundle.ts'
import { bundlesEqual } from '../../src/bundle/bundle.ts'
import { bundleSetOf, type BundleSet } from '../../src/bundle/bundle-set.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { ViewDigest } from '../../src/entry/view-digest.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { entryToMessage } from '../../src/wire/entry-message.ts'
import type { Changes } from '../upstream/changes.ts'
import type { Entitled } from './entitled.ts'
import { Interests, type Interest } from './interests.ts'
import { SelectorIndex } from './selector-index.ts'
import { GOOD_STANDING, isSameWithheld, type Standing, type Withheld } from './standing.ts'
import { Subscription, type Matched } from './subscription.ts'
import type { Wake } from './wake.ts'

/** What a change did, for those who hold SVIDs. */
export interface Applied {
  readonly sequence: number
  readonly changedEntryIds: readonly string[]
  readonly removedEntryIds: readonly string[]
  readonly bundlesChanged: boolean
}

/**
 * What this agent is entitled to: entries and bundles as the server last said. Streams subscribe by selectors and hear only of
 * changes that concern them.
 */
export class Entitlements implements Entitled {
  readonly trustDomain: TrustDomain
  readonly #entries = new Map<string, RegistrationEntry>()
  readonly #bundles = new Map<string, Bundle>()
  readonly #index = new SelectorIndex()
  readonly #interests = new Interests()
  readonly #listeners = new Set<(applied: Applied) => void>()
  readonly #unsettled = new Set<Subscription>()
  readonly #waiters = new Set<{ readonly sequence: number; readonly resolve: () => void }>()
  readonly #digest = new ViewDigest()
  readonly #standingListeners = new Set<(isOther: boolean) => void>()
  #bundleSet: BundleSet
  #standing: Standing = GOOD_STANDING
  #sequence = 0

  constructor(trustDomain: TrustDomain) {
    this.trustDomain = trustDomain
    this.#bundleSet = bundleSetOf([])
  }

  entry(id: string): RegistrationEntry | undefined {
    return this.#entries.get(id)
  }

  get entries(): ReadonlyMap<string, RegistrationEntry> {
    return this.#entries
  }

  get bundles(): BundleSet {
    return this.#bundleSet
  }

  get ownBundle(): Bundle | undefined {
    return this.#bundles.get(this.trustDomain.name)
  }

  /** Digest of everything held, as the server computes it. */
  get digest(): Buffer {
    return this.#digest.bytes
  }

  get sequence(): number {
    return this.#sequence
  }

  /** Makes the whole equal to what a snapshot said; only what differs is told to anybody. */
  replace(entries: readonly RegistrationEntry[], bundles: readonly Bundle[]): Applied {
    const entryIds = new Set(entries.map(({ id }) => id))
    const trustDomains = new Set(bundles.map(({ trustDomain }) => trustDomain.name))
    return this.apply({
      entries,
      bundles,
      removedEntryIds: [...this.#entries.keys()].filter((id) => !entryIds.has(id)),
      removedTrustDomains: [...this.#bundles.keys()].filter((name) => !trustDomains.has(name)),
    })
  }

  /** Applies a change; applying it twice is harmless. */
  apply(changes: Changes): Applied {
    const sequence = ++this.#sequence
    const concerned = new Set<Interest>()
    const changed = changes.entries.filter((entry) => this.#putEntry(entry, concerned))
    const removed = changes.removedEntryIds.filter((id) => this.#removeEntry(id, concerned))
    const changedDomains = this.#putBundles(changes)
    for (const interest of this.#interests.all()) {
      if (changedDomains.some((name) => this.#matters(name, interest))) concerned.add(interest)
    }
    for (const interest of concerned) this.#tell(interest, sequence)
    const applied = {
      sequence,
      changedEntryIds: changed.map(({ id }) => id),
      removedEntryIds: removed,
      bundlesChanged: changedDomains.length > 0,
    }
    for (const listener of this.#listeners) listener(applied)
    return applied
  }

  get standing(): Standing {
    return this.#standing
  }

  /**
   * Takes what lifecycle says from now on: streams whose identities are withheld, or given again, hear of it.
   *
   * @returns the sequence under which its delivery can be awaited
   */
  stand(standing: Standing): number {
    const before = this.#standing
    if (before === standing) return this.#sequence
    this.#standing = standing
    const concerned = new Set<Interest>()
    let isOther = false
    for (const entry of this.#entries.values()) {
      const id = entry.spiffeId.toString()
      if (isSameWithheld(before.withheld(id), standing.withheld(id))) continue
      isOther = true
      for (const interest of this.#interests.concernedBy(entry)) concerned.add(interest)
    }
    if (concerned.size > 0) this.#sequence++
    for (const interest of concerned) this.#tell(interest, this.#sequence)
    for (const listener of this.#standingListeners) listener(isOther)
    return this.#sequence
  }

  /** Calls `listener` after lifecycle has said something new: whether other entries are withheld than before. */
  onStanding(listener: (isOther: boolean) => void): Disposable {
    this.#standingListeners.add(listener)
    return { [Symbol.dispose]: () => void this.#standingListeners.delete(listener) }
  }

  /** The digest that a change would lead to. */
  digestAfter({ entries, removedEntryIds, bundles, removedTrustDomains }: Changes): Buffer {
    const digest = ViewDigest.from(this.digest)
    const entriesAfter = new Map<string, RegistrationEntry | undefined>(entries.map((entry) => [entry.id, entry]))
    for (const id of removedEntryIds) entriesAfter.set(id, undefined)
    for (const [id, entry] of entriesAfter) {
      const held = this.#entries.get(id)
      if (held !== undefined) digest.removeEntry(held)
      if (entry !== undefined) digest.addEntry(entry)
    }
    const bundlesAfter = new Map<string, Bundle | undefined>(bundles.map((bundle) => [bundle.trustDomain.name, bundle]))
    for (const name of removedTrustDomains) if (name !== this.trustDomain.name) bundlesAfter.set(name, undefined)
    for (const [name, bundle] of bundlesAfter) {
      const held = this.#bundles.get(name)
      if (held !== undefined) digest.removeBundle(held)
      if (bundle !== undefined) digest.addBundle(bundle)
    }
    return digest.bytes
  }

  /** Calls `listener` after each change, before any stream has seen it. */
  onApplied(listener: (applied: Applied) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  matching(selectors: readonly Selector[]): readonly RegistrationEntry[] {
    return this.#index.matching(new Set(selectors.map(({ type, value }) => `${type}:${value}`)))
  }

  subscribe(selectors: readonly Selector[], wake: Wake): Subscription {
    const interest = this.#interests.of(selectors)
    const subscription = new Subscription(wake, {
      current: () => this.#matchedOf(interest),
      settled: (one) => this.#settle(one),
      closed: (one) => {
        interest.subscriptions.delete(one)
        if (interest.subscriptions.size === 0) this.#interests.forget(interest)
      },
    })
    interest.subscriptions.add(subscription)
    return subscription
  }

  /** Resolves when every stream that a change up to `sequence` concerned has been written to or has ended, or when `signal` aborts. */
  async delivered(sequence: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter = { sequence, resolve }
    this.#waiters.add(waiter)
    signal?.addEventListener('abort', () => resolve(), { once: true })
    this.#release()
    await promise
    this.#waiters.delete(waiter)
  }

  /** Those who wait for a delivery. */
  get waiters(): number {
    return this.#waiters.size
  }

  /** Streams that wait for changes. */
  get openStreams(): number {
    return this.#interests.subscriptions
  }

  /** Streams that changes are still on their way to. */
  get undelivered(): number {
    return this.#unsettled.size
  }

  #putEntry(entry: RegistrationEntry, concerned: Set<Interest>): boolean {
    const held = this.#entries.get(entry.id)
    if (held !== undefined && isSame(held, entry)) return false
    if (held !== undefined) this.#removeEntry(held.id, concerned)
    this.#entries.set(entry.id, entry)
    this.#digest.addEntry(entry)
    if (isForWorkloads(entry)) this.#index.add(entry)
    for (const interest of this.#interests.concernedBy(entry)) concerned.add(interest)
    return true
  }

  #removeEntry(id: string, concerned: Set<Interest>): boolean {
    const held = this.#entries.get(id)
    if (held === undefined) return false
    this.#entries.delete(id)
    this.#digest.removeEntry(held)
    this.#index.remove(held)
    for (const interest of this.#interests.concernedBy(held)) concerned.add(interest)
    return true
  }

  #putBundles(changes: Changes): string[] {
    const changed = changes.bundles.filter((bundle) => this.#putBundle(bundle))
    // Without its own bundle an agent is of no use to anybody; a server that takes it away is mistaken.
    const gone = changes.removedTrustDomains.filter((name) => name !== this.trustDomain.name)
    const removed = gone.filter((name) => this.#removeBundle(name))
    if (changes.bundles.length + removed.length > 0) this.#bundleSet = bundleSetOf(this.#bundles.values())
    return [...changed.map(({ trustDomain }) => trustDomain.name), ...removed]
  }

  /** Says whether the bundle says something new; a new sequence number alone does not. */
  #putBundle(bundle: Bundle): boolean {
    const held = this.#bundles.get(bundle.trustDomain.name)
    if (held !== undefined) this.#digest.removeBundle(held)
    this.#digest.addBundle(bundle)
    this.#bundles.set(bundle.trustDomain.name, bundle)
    return held === undefined || !bundlesEqual(held, bundle)
  }

  #removeBundle(name: string): boolean {
    const held = this.#bundles.get(name)
    if (held === undefined) return false
    this.#digest.removeBundle(held)
    return this.#bundles.delete(name)
  }

  #matters(trustDomain: string, interest: Interest): boolean {
    return trustDomain === this.trustDomain.name || interest.federatesWith.has(trustDomain)
  }

  #tell(interest: Interest, sequence: number): void {
    interest.matched = undefined
    for (const subscription of interest.subscriptions) {
      this.#unsettled.add(subscription)
      subscription.tell(sequence)
    }
  }

  #matchedOf(interest: Interest): Matched {
    if (interest.matched !== undefined) return interest.matched
    const entries = this.#index.matching(interest.selectors)
    const names = new Set(entries.flatMap(({ federatesWith }) => federatesWith.map(({ name }) => name)))
    names.delete(this.trustDomain.name)
    interest.federatesWith = names
    const federatedBundles = [...names].toSorted().flatMap((name) => this.#bundles.get(name) ?? [])
    const withheld = this.#withheldOf(entries)
    interest.matched = { entries, withheld, ownBundle: this.ownBundle, federatedBundles, sequence: this.#sequence }
    return interest.matched
  }

  #withheldOf(entries: readonly RegistrationEntry[]): ReadonlyMap<string, Withheld> {
    const withheld = new Map<string, Withheld>()
    for (const { spiffeId } of entries) {
      const id = spiffeId.toString()
      const why = this.#standing.withheld(id)
      if (why !== undefined) withheld.set(id, why)
    }
    return withheld.size === 0 ? NOTHING_WITHHELD : withheld
  }

  #settle(subscription: Subscription): void {
    if (this.#unsettled.delete(subscription)) this.#release()
  }

  #release(): void {
    for (const waiter of this.#waiters) {
      if (this.#unsettled.values().some((subscription) => subscription.isBehind(waiter.sequence))) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }
}

const NOTHING_WITHHELD: ReadonlyMap<string, Withheld> = new Map()

/** Entries for a secret store, and those that give a node another name, are for no process. */
export function isForWorkloads(entry: RegistrationEntry): boolean {
  return !entry.storeSvid && !entry.selectors.some(({ type }) => type === 'spiffe_id')
}

/** The content too: a server that was set back to a backup counts its revisions over again. */
function isSame(a: RegistrationEntry, b: RegistrationEntry): boolean {
  return (
    a === b ||
    (a.revisionNumber === b.revisionNumber &&
      a.createdAt.getTime() === b.createdAt.getTime() &&
      isDeepStrictEqual(entryToMessage(a), entryToMessage(b)))
  )
}
