import type { Clock } from '../../src/clock.ts'
import type { Wake } from '../entries/wake.ts'
import { EXPIRY_MARGIN_MS, type HeldSvid } from './held-svid.ts'
import type { Orders } from './orders.ts'

/** The longest sleep: how late a jump of the wall clock is noticed when no heartbeat tells of it. */
const LONGEST_SLEEP_MS = 30_000

interface Awaited {
  readonly held: Iterable<HeldSvid>
  readonly orders: Pick<Orders<never>, 'has' | 'nextMs'>
  readonly clock: Clock
  readonly wake: Wake
  /** Sleeps so long at least, unless it is woken. */
  readonly leastMs?: number
}

/** Sleeps until an SVID is due or expires, an order may be tried again, or somebody wakes. */
export async function sleepUntilDue(awaited: Awaited, signal: AbortSignal): Promise<void> {
  const { clock, wake, leastMs = 0 } = awaited
  using _timer = clock.timer(Math.max(leastMs, Math.min(nextMs(awaited), LONGEST_SLEEP_MS)), () => wake.ring())
  await wake.wait(signal)
}

function nextMs({ held, orders, clock }: Awaited): number {
  const now = clock.now().getTime()
  let next = orders.nextMs()
  for (const { entryId, renewAt, notAfter } of held) {
    if (!orders.has(entryId)) next = Math.min(next, renewAt.getTime() - now)
    next = Math.min(next, notAfter.getTime() - EXPIRY_MARGIN_MS - now)
  }
  return next
}
