import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { Entitled } from '../entries/entitled.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import type { Standing } from '../entries/standing.ts'
import type { Matched } from '../entries/subscription.ts'
import type { Wake } from '../entries/wake.ts'

interface Scoped {
  readonly privileged: ReadonlySet<string>
  readonly matched: Matched
}

/**
 * What brokers may fetch: everything but identities with rights over others (BA-32). An identity has them as soon as one of its
 * entries says so, since the server asks for the SPIFFE ID and not for the entry that an SVID was made from.
 */
export class BrokeredEntitlements implements Entitled {
  readonly #all: Entitlements
  /** What a state looks like to brokers; kept, so that equal states stay the same object. */
  readonly #scoped = new WeakMap<Matched, Scoped>()
  #privileged: { readonly sequence: number; readonly ids: ReadonlySet<string> } = { sequence: -1, ids: new Set() }

  constructor(all: Entitlements) {
    this.#all = all
  }

  get standing(): Standing {
    return this.#all.standing
  }

  matching(selectors: readonly Selector[]): readonly RegistrationEntry[] {
    const privileged = this.#privilegedIds()
    return this.#all.matching(selectors).filter(({ spiffeId }) => !privileged.has(spiffeId.toString()))
  }

  subscribe(selectors: readonly Selector[], wake: Wake): ReturnType<Entitled['subscribe']> {
    const subscription = this.#all.subscribe(selectors, wake)
    // Another entry of the same identity, which no selector of the workload concerns, may give it rights.
    const listening = this.#all.onApplied(() => wake.ring())
    return {
      take: () => this.#scope(subscription.take()),
      delivered: () => subscription.delivered(),
      [Symbol.dispose]: () => {
        listening[Symbol.dispose]()
        subscription[Symbol.dispose]()
      },
    }
  }

  #scope(matched: Matched): Matched {
    const privileged = this.#privilegedIds()
    const known = this.#scoped.get(matched)
    if (known?.privileged === privileged) return known.matched
    const scoped = { privileged, matched: withoutThose(privileged, matched) }
    this.#scoped.set(matched, scoped)
    return scoped.matched
  }

  /** The same set while the same identities have rights. */
  #privilegedIds(): ReadonlySet<string> {
    const { sequence, entries } = this.#all
    if (this.#privileged.sequence === sequence) return this.#privileged.ids
    const found = [...entries.values()].filter(({ admin, downstream }) => admin || downstream)
    const ids = new Set(found.map(({ spiffeId }) => spiffeId.toString()))
    const isSame = ids.symmetricDifference(this.#privileged.ids).size === 0
    this.#privileged = { sequence, ids: isSame ? this.#privileged.ids : ids }
    return this.#privileged.ids
  }
}

function withoutThose(ids: ReadonlySet<string>, matched: Matched): Matched {
  const entries = matched.entries.filter(({ spiffeId }) => !ids.has(spiffeId.toString()))
  if (entries.length === matched.entries.length) return matched
  const federated = new Set(entries.flatMap(({ federatesWith }) => federatesWith.map(({ name }) => name)))
  return {
    ...matched,
    entries,
    withheld: new Map([...matched.withheld].filter(([id]) => !ids.has(id))),
    federatedBundles: matched.federatedBundles.filter(({ trustDomain }) => federated.has(trustDomain.name)),
  }
}
