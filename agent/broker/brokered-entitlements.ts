import { isPrivileged } from '../../src/entry/is-privileged.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import { matchesSegments, type Pattern, segmentsOf } from '../../src/policy/pattern.ts'
import type { Entitled } from '../entries/entitled.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import type { Standing } from '../entries/standing.ts'
import type { Matched } from '../entries/subscription.ts'
import type { Wake } from '../entries/wake.ts'

interface Scoped {
  readonly privileged: ReadonlySet<string>
  readonly matched: Matched
}

/** What each broker may fetch: brokers with the same patterns, the same. */
export class BrokerScopes {
  readonly #all: Entitlements
  readonly #scopes = new Map<readonly Pattern[] | undefined, BrokeredEntitlements>()

  constructor(all: Entitlements) {
    this.#all = all
  }

  /** @param identities undefined: it is not bound to any */
  of(identities: readonly Pattern[] | undefined): Entitled {
    let scope = this.#scopes.get(identities)
    if (scope === undefined) this.#scopes.set(identities, (scope = new BrokeredEntitlements(this.#all, identities)))
    return scope
  }
}

/**
 * What brokers may fetch: everything that the patterns name but identities with rights over others (BA-32). An identity has them as
 * soon as one of its entries says so, since the server asks for the SPIFFE ID and not for the entry that an SVID was made from.
 */
class BrokeredEntitlements implements Entitled {
  readonly #all: Entitlements
  readonly #identities: readonly Pattern[] | undefined
  /** What a state looks like to brokers; kept, so that equal states stay the same object. */
  readonly #scoped = new WeakMap<Matched, Scoped>()
  #privileged: { readonly sequence: number; readonly ids: ReadonlySet<string> } = { sequence: -1, ids: new Set() }

  constructor(all: Entitlements, identities: readonly Pattern[] | undefined) {
    this.#all = all
    this.#identities = identities
  }

  get standing(): Standing {
    return this.#all.standing
  }

  matching(selectors: readonly Selector[]): readonly RegistrationEntry[] {
    const privileged = this.#privilegedIds()
    return this.#all.matching(selectors).filter(({ spiffeId }) => this.#isFor(spiffeId, privileged))
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
    const scoped = { privileged, matched: this.#within(privileged, matched) }
    this.#scoped.set(matched, scoped)
    return scoped.matched
  }

  #isFor(spiffeId: SpiffeId, privileged: ReadonlySet<string>): boolean {
    if (privileged.has(spiffeId.toString())) return false
    if (this.#identities === undefined) return true
    const path = segmentsOf(spiffeId.path)
    return this.#identities.some(
      (pattern) =>
        (pattern.trustDomain ?? this.#all.trustDomain.name) === spiffeId.trustDomain.name &&
        matchesSegments(pattern, path),
    )
  }

  #within(privileged: ReadonlySet<string>, matched: Matched): Matched {
    const entries = matched.entries.filter(({ spiffeId }) => this.#isFor(spiffeId, privileged))
    if (entries.length === matched.entries.length) return matched
    const ids = new Set(entries.map(({ spiffeId }) => spiffeId.toString()))
    const federated = new Set(entries.flatMap(({ federatesWith }) => federatesWith.map(({ name }) => name)))
    return {
      ...matched,
      entries,
      withheld: new Map([...matched.withheld].filter(([id]) => ids.has(id))),
      federatedBundles: matched.federatedBundles.filter(({ trustDomain }) => federated.has(trustDomain.name)),
    }
  }

  /** The same set while the same identities have rights. */
  #privilegedIds(): ReadonlySet<string> {
    const { sequence, entries } = this.#all
    if (this.#privileged.sequence === sequence) return this.#privileged.ids
    const found = [...entries.values()].filter(isPrivileged)
    const ids = new Set(found.map(({ spiffeId }) => spiffeId.toString()))
    const isSame = ids.symmetricDifference(this.#privileged.ids).size === 0
    this.#privileged = { sequence, ids: isSame ? this.#privileged.ids : ids }
    return this.#privileged.ids
  }
}
