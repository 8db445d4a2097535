import type { WireLimits } from './limits.ts'

/** What each user of a unix socket has open, so that one cannot crowd out the others. */
export class UidBudget {
  readonly #limits: WireLimits
  readonly #open = new Map<number, { connections: number; streams: number }>()

  constructor(limits: WireLimits) {
    this.#limits = limits
  }

  takeConnection(uid: number): boolean {
    return this.#take(uid, 'connections', this.#limits.connectionsPerUid)
  }

  giveConnection(uid: number): void {
    this.#give(uid, 'connections')
  }

  /** The streams of one user. */
  streamsOf(uid: number): { take(): boolean; give(): void } {
    return new UidStreams(this, uid)
  }

  takeStream(uid: number): boolean {
    return this.#take(uid, 'streams', this.#limits.streamsPerUid)
  }

  giveStream(uid: number): void {
    this.#give(uid, 'streams')
  }

  #take(uid: number, what: 'connections' | 'streams', limit: number): boolean {
    const open = this.#open.get(uid) ?? { connections: 0, streams: 0 }
    if (open[what] >= limit) return false
    open[what] += 1
    this.#open.set(uid, open)
    return true
  }

  #give(uid: number, what: 'connections' | 'streams'): void {
    const open = this.#open.get(uid)
    if (open === undefined) return
    open[what] -= 1
    if (open.connections === 0 && open.streams === 0) this.#open.delete(uid)
  }
}

/** One for each connection, so it holds no more than it must. */
class UidStreams {
  readonly #budget: UidBudget
  readonly #uid: number

  constructor(budget: UidBudget, uid: number) {
    this.#budget = budget
    this.#uid = uid
  }

  take(): boolean {
    return this.#budget.takeStream(this.#uid)
  }

  give(): void {
    this.#budget.giveStream(this.#uid)
  }
}
