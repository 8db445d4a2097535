import type { Selector } from '../../src/entry/selector.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import type { Matched } from '../entries/subscription.ts'
import { Wake } from '../entries/wake.ts'
import type { HeldX509Svid } from './held-x509-svid.ts'
import type { X509SvidCache } from './x509-svid-cache.ts'

/** What a workload is to be told now: the whole of it, each time. */
export interface X509State {
  readonly matched: Matched
  /** In the order of the entries; shorter than they are when some could not be signed. */
  readonly held: readonly HeldX509Svid[]
}

/**
 * The identities of a process with these selectors, now and again whenever they change: entries, bundles or renewed SVIDs.
 * Waits while an SVID is signed for the first time. Asking for the next state says that the last one was written.
 */
export async function* watchX509States(
  selectors: readonly Selector[],
  { entitlements, x509Svids }: { readonly entitlements: Entitlements; readonly x509Svids: X509SvidCache },
  signal: AbortSignal,
): AsyncGenerator<X509State, never> {
  const wake = new Wake()
  using subscription = entitlements.subscribe(selectors, wake)
  for (let last: X509State | undefined; ;) {
    const matched = subscription.take()
    using _watching = x509Svids.watch(
      matched.entries.map(({ id }) => id),
      wake,
    )
    const { held, pending } = x509Svids.now(matched.entries)
    if (pending === 0) {
      const state = { matched, held }
      if (last === undefined || !isSame(last, state)) yield (last = state)
      subscription.delivered()
    }
    await wake.wait(signal)
  }
}

function isSame(a: X509State, b: X509State): boolean {
  return (
    a.matched.ownBundle === b.matched.ownBundle &&
    sameList(a.matched.entries, b.matched.entries) &&
    sameList(a.matched.federatedBundles, b.matched.federatedBundles) &&
    sameList(a.held, b.held)
  )
}

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((one, index) => one === b[index])
