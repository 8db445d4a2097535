import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Entitled } from '../entries/entitled.ts'
import type { Matched } from '../entries/subscription.ts'
import { Wake } from '../entries/wake.ts'
import type { HeldWitSvid } from './held-wit-svid.ts'
import type { WitSvidCache } from './wit-svid-cache.ts'

/** What a workload is to be told of WIT-SVIDs now: the whole of it, each time. */
export interface WitState {
  readonly matched: Matched
  /** The entries that were asked for. */
  readonly chosen: readonly RegistrationEntry[]
  /** Those of them that are not withheld: a WIT-SVID is a token. */
  readonly given: readonly RegistrationEntry[]
  /** In the order of the entries that are given; shorter than they are when some could not be signed. */
  readonly held: readonly HeldWitSvid[]
  /** Why one could not be signed. */
  readonly failure: Error | undefined
}

/**
 * The WIT-SVIDs of a process with these selectors, now and again whenever they change. Waits while one is signed for the first
 * time. Asking for the next state says that the last one was written.
 *
 * @param wanted only this identity; undefined: all of them
 */
export async function* watchWitStates(
  selectors: readonly Selector[],
  wanted: SpiffeId | undefined,
  { entitlements, witSvids }: { readonly entitlements: Entitled; readonly witSvids: WitSvidCache },
  signal: AbortSignal,
): AsyncGenerator<WitState, never> {
  const wake = new Wake()
  using subscription = entitlements.subscribe(selectors, wake)
  for (let last: WitState | undefined; ;) {
    const matched = subscription.take()
    const chosen = matched.entries.filter(({ spiffeId }) => wanted === undefined || spiffeId.equals(wanted))
    const given = chosen.filter(({ spiffeId }) => !matched.withheld.has(spiffeId.toString()))
    using _watching = witSvids.watch(
      given.map(({ id }) => id),
      wake,
    )
    const { held, pending, failure } = witSvids.now(given)
    if (pending === 0) {
      const state = { matched, chosen, given, held, failure }
      if (last === undefined || !isSame(last, state)) yield (last = state)
      subscription.delivered()
    }
    await wake.wait(signal)
  }
}

function isSame(a: WitState, b: WitState): boolean {
  return (
    sameList(a.matched.entries, b.matched.entries) &&
    sameList(a.chosen, b.chosen) &&
    sameList(a.given, b.given) &&
    sameList(a.held, b.held)
  )
}

const sameList = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((one, index) => one === b[index])
