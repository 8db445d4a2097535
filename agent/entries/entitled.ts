import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { Standing } from './standing.ts'
import type { Matched, Subscription } from './subscription.ts'
import { Wake } from './wake.ts'

/** What processes of this node are entitled to: everything that the agent holds, or a part of it. */
export interface Entitled {
  readonly standing: Standing
  /** The entries that a process with these selectors is entitled to, oldest registration first. */
  matching(selectors: readonly Selector[]): readonly RegistrationEntry[]
  /** A place among those that are told of changes; `wake` rings when something concerns these selectors. */
  subscribe(selectors: readonly Selector[], wake: Wake): Pick<Subscription, 'take' | 'delivered'> & Disposable
}

/** What matches these selectors, now and again whenever that or a bundle of it changes. Asking for the next state says that the last one was written. */
export async function* watchMatched(
  entitled: Entitled,
  selectors: readonly Selector[],
  signal: AbortSignal,
): AsyncGenerator<Matched, never> {
  const wake = new Wake()
  using subscription = entitled.subscribe(selectors, wake)
  for (let last: Matched | undefined; ;) {
    const matched = subscription.take()
    if (matched !== last) yield (last = matched)
    subscription.delivered()
    await wake.wait(signal)
  }
}
