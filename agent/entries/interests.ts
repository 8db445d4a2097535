import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { printSelector, selectorsMatch, type Selector } from '../../src/entry/selector.ts'
import type { Matched, Subscription } from './subscription.ts'

/** A set of selectors that open streams wait on; streams of equal selectors share one. */
export interface Interest {
  readonly key: string
  readonly selectors: ReadonlySet<string>
  readonly subscriptions: Set<Subscription>
  /** Trust domains whose bundles matter here, as of `matched`. */
  federatesWith: ReadonlySet<string>
  /** Found when first asked for after a change. */
  matched: Matched | undefined
}

/** The interests of all open streams, found by selector, so that a change costs what it concerns. */
export class Interests {
  readonly #byKey = new Map<string, Interest>()
  readonly #bySelector = new Map<string, Set<Interest>>()

  /** The interest in these selectors, made when nobody had it. */
  of(selectors: readonly Selector[]): Interest {
    const printed = new Set(selectors.map(printSelector).toSorted())
    const key = [...printed].join('\n')
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const interest: Interest = {
      key,
      selectors: printed,
      subscriptions: new Set(),
      federatesWith: new Set(),
      matched: undefined,
    }
    this.#byKey.set(key, interest)
    for (const selector of printed) {
      this.#bySelector.set(selector, (this.#bySelector.get(selector) ?? new Set<Interest>()).add(interest))
    }
    return interest
  }

  forget(interest: Interest): void {
    if (this.#byKey.get(interest.key) !== interest) return
    this.#byKey.delete(interest.key)
    for (const selector of interest.selectors) {
      const group = this.#bySelector.get(selector)
      group?.delete(interest)
      if (group?.size === 0) this.#bySelector.delete(selector)
    }
  }

  /** Those that an entry matches. */
  concernedBy(entry: RegistrationEntry): Interest[] {
    const groups = entry.selectors.map((selector) => this.#bySelector.get(printSelector(selector)))
    const smallest = groups.toSorted((a, b) => (a?.size ?? 0) - (b?.size ?? 0))[0]
    return [...(smallest ?? [])].filter((interest) => selectorsMatch(entry.selectors, interest.selectors))
  }

  /** How many streams wait in all. */
  get subscriptions(): number {
    return this.#byKey.values().reduce((sum, { subscriptions }) => sum + subscriptions.size, 0)
  }

  all(): Iterable<Interest> {
    return this.#byKey.values()
  }
}
