import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import type { Wake } from '../entries/wake.ts'
import { backoffMs, type Random } from '../upstream/timing.ts'
import type { HeldSvid, SvidKind } from './held-svid.ts'
import type { Watchers } from './watchers.ts'

export interface OrdersDeps {
  readonly entitlements: Entitlements
  /** While false nothing is attempted: no keys for calls that cannot succeed. */
  readonly isConnected: () => boolean
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** An SVID that is missing or due, on its way. */
export interface Order {
  readonly entry: RegistrationEntry
  failures: number
  /** Why the last attempt failed; tried again until it succeeds. */
  failure: Error | undefined
  /** On the monotonic clock. */
  retryAtMs: number
  inFlight: boolean
}

/** What one kind of SVID makes of its orders. */
export interface Fulfilment<S extends HeldSvid> {
  readonly kind: SvidKind
  /** Rung when there is something new to do. */
  readonly wake: Wake
  /** Hear of what becomes of the orders for their entries. */
  readonly watchers: Watchers
  /** Has an SVID signed for each entry: what was signed, or why not, in the order of the entries. */
  sign(entries: readonly RegistrationEntry[], signal: AbortSignal): Promise<readonly (S | Error)[]>
  /** Takes what was signed; the order is over. */
  keep(svid: S): void
  /** The entry changed while the server signed: it may have signed either state. */
  outdated(entry: RegistrationEntry, order: Order): void
}

const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

/** The SVIDs of one kind that are on their way, one for each entry: tried again with growing pauses until they are signed or taken back. */
export class Orders<S extends HeldSvid> {
  readonly #deps: OrdersDeps
  readonly #fulfilment: Fulfilment<S>
  readonly #orders = new Map<string, Order>()

  constructor(deps: OrdersDeps, fulfilment: Fulfilment<S>) {
    this.#deps = deps
    this.#fulfilment = fulfilment
  }

  get size(): number {
    return this.#orders.size
  }

  get(entryId: string): Order | undefined {
    return this.#orders.get(entryId)
  }

  has(entryId: string): boolean {
    return this.#orders.has(entryId)
  }

  /** The order for this entry, made when there was none. */
  place(entry: RegistrationEntry): Order {
    const known = this.#orders.get(entry.id)
    if (known !== undefined) return known
    const order: Order = { entry, failures: 0, failure: undefined, retryAtMs: 0, inFlight: false }
    this.#orders.set(entry.id, order)
    this.#fulfilment.wake.ring()
    return order
  }

  /** Takes an order back: what is signed for it nevertheless is not kept. */
  cancel(entryId: string): void {
    this.#orders.delete(entryId)
  }

  /** As {@link cancel}, unless it is being signed. */
  withdraw(entryId: string): void {
    if (this.#orders.get(entryId)?.inFlight === false) this.#orders.delete(entryId)
  }

  /** Withdraws those that nobody waits for. */
  withdrawUnwatched(): void {
    for (const id of this.#orders.keys()) if (!this.#fulfilment.watchers.has(id)) this.withdraw(id)
  }

  /** Tries again now what failed before: the server can be reached again, or time has jumped. */
  hurry(): void {
    for (const order of this.#orders.values()) order.retryAtMs = 0
    this.#fulfilment.wake.ring()
  }

  /** Those to be tried now. Without a connection there are none: they count as tried. */
  due(): readonly Order[] {
    const { clock, isConnected } = this.#deps
    const nowMs = clock.monotonicMs()
    const due = [...this.#orders.values()].filter((order) => !order.inFlight && order.retryAtMs <= nowMs)
    if (due.length === 0 || isConnected()) return due
    const why = `Cannot sign ${this.#fulfilment.kind}s: not connected to the server`
    for (const order of due) this.#fail(order, new SallyportError('SERVER_UNREACHABLE', why))
    return []
  }

  /** Tries a batch of them, in one go. Never rejects: what fails is tried again. */
  async fulfil(batch: readonly Order[], signal: AbortSignal): Promise<void> {
    const { entitlements, log } = this.#deps
    const { kind, wake } = this.#fulfilment
    for (const order of batch) order.inFlight = true
    const entries = batch.map(({ entry }) => entitlements.entry(entry.id) ?? entry)
    try {
      const results = await this.#fulfilment.sign(entries, signal)
      for (const [index, order] of batch.entries()) this.#settle(order, entries[index], results[index])
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, `${kind}s could not be signed`)
      const failure = error instanceof Error ? error : new Error(String(error))
      for (const order of batch) this.#settle(order, order.entry, failure)
    } finally {
      wake.ring()
    }
  }

  /** Milliseconds until one may be tried again; Infinity when none waits for that. */
  nextMs(): number {
    const nowMs = this.#deps.clock.monotonicMs()
    return this.#orders
      .values()
      .reduce((next, { inFlight, retryAtMs }) => (inFlight ? next : Math.min(next, retryAtMs - nowMs)), Infinity)
  }

  #settle(order: Order, signedFor: RegistrationEntry | undefined, result: S | Error | undefined): void {
    const { kind, watchers } = this.#fulfilment
    order.inFlight = false
    const { id } = order.entry
    // Removed meanwhile, or ordered anew.
    if (this.#orders.get(id) !== order) return
    const entry = this.#deps.entitlements.entry(id)
    if (entry === undefined) return this.cancel(id)
    if (result === undefined || result instanceof Error) {
      return this.#fail(order, result ?? new SallyportError('INTERNAL', `Cannot sign the ${kind}: its answer was lost`))
    }
    this.#orders.delete(id)
    this.#fulfilment.keep(result)
    if (signedFor !== entry) this.#fulfilment.outdated(entry, order)
    watchers.ring(id)
  }

  #fail(order: Order, failure: Error): void {
    const { clock, random, log } = this.#deps
    const { kind, watchers } = this.#fulfilment
    order.failures++
    order.failure = failure
    order.retryAtMs = clock.monotonicMs() + backoffMs(order.failures, FIRST_RETRY_MS, LAST_RETRY_MS, random)
    const { id, spiffeId } = order.entry
    if (order.failures === 1) log.debug({ entryId: id, spiffeId, err: failure }, `${kind} was not signed`)
    watchers.ring(id)
  }
}
