import { type Clock, systemClock } from '../clock.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import { Connection, type CloseReason, type OpenConnection } from './connection.ts'
import { Deadlines } from './deadlines.ts'
import { type Due, retirementOf, type Retirement } from './retirement.ts'

export interface ConnectionsOptions {
  readonly clock?: Clock | undefined
  /** When connections end by themselves. Default: never. */
  readonly retire?: Retirement | undefined
  /** From 0 to 1, as `Math.random`, which is the default. */
  readonly random?: (() => number) | undefined
}

/** How long a connection may still finish what it is doing, unless told otherwise. */
const DEFAULT_DRAIN_MS = 30_000

/**
 * The open connections whose peers are verified, of one server, of one client, or of a whole process: by peer, with what ended
 * them, and with the end of those that have become too old.
 */
export class Connections implements Iterable<Connection> {
  readonly #clock: Clock
  readonly #retire: Retirement | undefined
  readonly #deadlines: Deadlines
  readonly #random: () => number
  readonly #all = new Map<Connection, Due | undefined>()
  readonly #byPeer = new Map<string, Set<Connection>>()
  readonly #closed = new Map<CloseReason, number>()

  constructor({ clock = systemClock, retire, random = Math.random }: ConnectionsOptions = {}) {
    this.#clock = clock
    this.#retire = retire
    this.#random = random
    this.#deadlines = new Deadlines(clock)
  }

  /** How many are open now. */
  get size(): number {
    return this.#all.size
  }

  /** How many have closed, by reason. */
  get closed(): ReadonlyMap<CloseReason, number> {
    return this.#closed
  }

  [Symbol.iterator](): IterableIterator<Connection> {
    return this.#all.keys()
  }

  /** The connections with one peer; while it is iterated, they may be closed. */
  ofPeer(id: SpiffeId): ReadonlySet<Connection> {
    return this.#byPeer.get(id.toString()) ?? new Set()
  }

  /** Those of every peer that is connected, each with its connections. */
  get peers(): ReadonlyMap<string, ReadonlySet<Connection>> {
    return this.#byPeer
  }

  /** Holds a connection until it closes. */
  add(open: OpenConnection): Connection {
    const connection = new Connection(open, this.#clock.now(), this.#deadlines, this.#clock)
    const due = retirementOf(connection, this.#retire, this.#random())
    this.#all.set(connection, due)
    const key = open.peer.id.toString()
    const ofPeer = this.#byPeer.get(key)
    if (ofPeer === undefined) this.#byPeer.set(key, new Set([connection]))
    else ofPeer.add(connection)
    const retirement = due === undefined ? undefined : this.#retireInTime(connection, due)
    open.socket.once('close', () => {
      retirement?.[Symbol.dispose]()
      this.#forget(connection, key)
    })
    return connection
  }

  /** Begins the end of a connection whose time has come, where no timer could see it: after a jump of the wall clock. */
  retireIfDue(connection: Connection): void {
    const due = this.#all.get(connection)
    if (due === undefined || due.at > this.#clock.now()) return
    connection.drain(due.reason, this.#drainMs)
  }

  /** Lets all of them finish what they are doing. */
  drain(reason: CloseReason = 'shutdown', drainMs = this.#drainMs): void {
    for (const connection of this.#all.keys()) connection.drain(reason, drainMs)
  }

  get #drainMs(): number {
    return this.#retire?.drainMs ?? DEFAULT_DRAIN_MS
  }

  #retireInTime(connection: Connection, due: Due): Disposable {
    let waiting: Disposable
    const wait = (): void => {
      const leftMs = due.at.getTime() - this.#clock.now().getTime()
      waiting = this.#deadlines.add(this.#clock.monotonicMs() + leftMs, () => {
        // The wall clock may have been set back in the meantime.
        if (this.#clock.now() < due.at) wait()
        else this.retireIfDue(connection)
      })
    }
    wait()
    return { [Symbol.dispose]: () => waiting[Symbol.dispose]() }
  }

  #forget(connection: Connection, key: string): void {
    connection.closed()
    this.#all.delete(connection)
    const ofPeer = this.#byPeer.get(key)
    ofPeer?.delete(connection)
    if (ofPeer?.size === 0) this.#byPeer.delete(key)
    const reason = connection.reason ?? 'ended'
    this.#closed.set(reason, (this.#closed.get(reason) ?? 0) + 1)
  }
}
