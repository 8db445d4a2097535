import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { Entitled } from '../entries/entitled.ts'
import type { Matched } from '../entries/subscription.ts'
import { Wake } from '../entries/wake.ts'
import type { HeldX509Svid } from './held-x509-svid.ts'
import type { X509SvidCache } from './x509-svid-cache.ts'

/** What a workload is to be told now: the whole of it, each time. */
export interface X509State {
  readonly matched: Matched
  /** The entries that are not withheld. */
  readonly given: readonly RegistrationEntry[]
  /** In the order of the entries that are given; shorter than they are when some could not be signed. */
  readonly held: readonly HeldX509Svid[]
}

/**
 * The identities of a process with these selectors, now and again whenever they change: entries, bundles, renewed SVIDs, or what is
 * withheld. Waits while an SVID is signed for the first time. Asking for the next state says that the last one was written.
 */
export async function* watchX509States(
  selectors: readonly Selector[],
  { entitlements, x509Svids }: { readonly entitlements: Entitled; readonly x509Svids: X509SvidCache },
  signal: AbortSignal,
): AsyncGenerator<X509State, never> {
  const wake = new Wake()
  using subscription = entitlements.subscribe(selectors, wake)
  for (let last: X509State | undefined; ;) {
    const matched = subscription.take()
    const given = givenOf(matched)
    using _watching = x509Svids.watch(
      given.map(({ id }) => id),
      wake,
    )
    const { held, pending } = x509Svids.now(given)
    if (pending === 0) {
      const state = { matched, given, held }
      if (last === undefined || !isSame(last, state)) yield (last = state)
      subscription.delivered()
    }
    await wake.wait(signal)
  }
}

function givenOf({ entries, withheld }: Matched): readonly RegistrationEntry[] {
  if (withheld.size === 0) return entries
  return entries.filter(({ spiffeId }) => withheld.get(spiffeId.toString())?.isX509Withheld !== true)
}

function isSame(a: X509State, b: X509State): boolean {
  return (
    a.matched.ownBundle === b.matched.ownBundle &&
    sameList(a.matched.entries, b.matched.entries) &&
    sameList(a.given, b.given) &&
    sameList(a.matched.federatedBundles, b.matched.federatedBundles) &&
    sameList(a.held, b.held)
  )
}

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((one, index) => one === b[index])
