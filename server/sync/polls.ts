import type { Clock } from '../../src/clock.ts'

/** What is assumed of an agent that has polled once only, and the limits of what is believed of others. */
const INTERVAL_DEFAULT_MS = 5000
const INTERVAL_MIN_MS = 1000
const INTERVAL_MAX_MS = 10 * 60_000

interface Poller {
  lastMs: number
  intervalMs: number
  last: Date
  /** Fetched, and when its workloads can be taken to have it. */
  fetched: { readonly revision: number; readonly appliedMs: number }[]
  applied: number
}

/** Agents that poll say nothing of what they have applied: they are taken to have after two of their intervals. */
export class Polls {
  readonly #clock: Clock
  readonly #pollers = new Map<string, Poller>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** An agent has fetched the own bundle as it was at a revision. */
  fetched(agentId: string, revision: number): void {
    const now = this.#clock.monotonicMs()
    const poller = this.#pollers.get(agentId)
    if (poller === undefined) {
      const fetched = [{ revision, appliedMs: now + 2 * INTERVAL_DEFAULT_MS }]
      const last = this.#clock.now()
      this.#pollers.set(agentId, { lastMs: now, intervalMs: INTERVAL_DEFAULT_MS, last, fetched, applied: 0 })
      return
    }
    poller.intervalMs = Math.min(Math.max(now - poller.lastMs, INTERVAL_MIN_MS), INTERVAL_MAX_MS)
    poller.lastMs = now
    poller.last = this.#clock.now()
    this.#settle(poller)
    if (poller.fetched.at(-1)?.revision !== revision) {
      poller.fetched.push({ revision, appliedMs: now + 2 * poller.intervalMs })
    }
  }

  /** Up to which revision an agent is taken to have applied the own bundle; 0 when it never polled. */
  appliedRevision(agentId: string): number {
    const poller = this.#pollers.get(agentId)
    if (poller === undefined) return 0
    this.#settle(poller)
    return poller.applied
  }

  lastPoll(agentId: string): Date | undefined {
    return this.#pollers.get(agentId)?.last
  }

  ids(): Iterable<string> {
    return this.#pollers.keys()
  }

  forget(agentId: string): void {
    this.#pollers.delete(agentId)
  }

  #settle(poller: Poller): void {
    const now = this.#clock.monotonicMs()
    for (let first = poller.fetched[0]; first !== undefined && first.appliedMs <= now; first = poller.fetched[0]) {
      poller.applied = Math.max(poller.applied, first.revision)
      poller.fetched.shift()
    }
  }
}
