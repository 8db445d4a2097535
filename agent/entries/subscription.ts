import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Withheld } from './standing.ts'
import type { Wake } from './wake.ts'

/** What the agent holds for one set of selectors. Immutable: a change makes a new one, so that it can key a cache of messages. */
export interface Matched {
  /** Oldest registration first. */
  readonly entries: readonly RegistrationEntry[]
  /** The bundle of the agent's own trust domain; undefined before the first sync. */
  readonly ownBundle: Bundle | undefined
  /** Those of trust domains that one of the entries federates with, never the own one. */
  readonly federatedBundles: readonly Bundle[]
  /** By SPIFFE ID: those of the entries that nothing is given out of at present. */
  readonly withheld: ReadonlyMap<string, Withheld>
  /** The local count of changes at which this was found. */
  readonly sequence: number
}

interface Hooks {
  readonly current: () => Matched
  /** Called when nothing is pending any more, at the end of the subscription too. */
  readonly settled: (subscription: Subscription) => void
  readonly closed: (subscription: Subscription) => void
}

/** One open stream's place among those that changes are told to. */
export class Subscription implements Disposable {
  readonly #wake: Wake
  readonly #hooks: Hooks
  #takenSequence = 0
  #firstPending: number | undefined
  #lastPending = 0

  constructor(wake: Wake, hooks: Hooks) {
    this.#wake = wake
    this.#hooks = hooks
  }

  /** What matches now. */
  take(): Matched {
    const matched = this.#hooks.current()
    this.#takenSequence = Math.max(matched.sequence, this.#lastPending)
    return matched
  }

  /** What was last taken has been written to the stream, or said nothing new. */
  delivered(): void {
    if (this.#firstPending === undefined) return
    this.#firstPending = this.#lastPending <= this.#takenSequence ? undefined : this.#takenSequence + 1
    if (this.#firstPending === undefined) this.#hooks.settled(this)
  }

  /** Is a change up to `sequence` still on its way to this stream? */
  isBehind(sequence: number): boolean {
    return this.#firstPending !== undefined && this.#firstPending <= sequence
  }

  tell(sequence: number): void {
    this.#firstPending ??= sequence
    this.#lastPending = sequence
    this.#wake.ring()
  }

  [Symbol.dispose](): void {
    this.#firstPending = undefined
    this.#hooks.closed(this)
    this.#hooks.settled(this)
  }
}
