import type { TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import type { Deadlines } from './deadlines.ts'
import type { VerifiedPeer } from './verified-peer.ts'

/**
 * Why a connection has closed: `ended` by either side's own wish, `expired` and `aged` by retirement, `refused` because
 * it is no longer allowed, `shutdown` with its server or client.
 */
export type CloseReason = 'ended' | 'expired' | 'aged' | 'refused' | 'shutdown'

/** A connection whose peer is verified. */
export interface OpenConnection {
  readonly socket: TLSSocket
  readonly peer: VerifiedPeer
  /** What this side has presented. */
  readonly own: X509Svid
  readonly role: 'server' | 'client'
}

/** A connection that is open and registered, and the two ways to end it. */
export class Connection implements OpenConnection {
  readonly socket: TLSSocket
  readonly peer: VerifiedPeer
  readonly own: X509Svid
  readonly role: 'server' | 'client'
  readonly openedAt: Date
  readonly #deadlines: Deadlines
  readonly #clock: Clock
  #reason: CloseReason | undefined
  #isDraining = false
  /** Of draining. */
  #end: Disposable | undefined
  #farewell: () => void

  constructor({ socket, peer, own, role }: OpenConnection, openedAt: Date, deadlines: Deadlines, clock: Clock) {
    this.socket = socket
    this.peer = peer
    this.own = own
    this.role = role
    this.openedAt = openedAt
    this.#deadlines = deadlines
    this.#clock = clock
    this.#farewell = () => socket.end()
  }

  /** Why it ends, once somebody has decided that it does. */
  get reason(): CloseReason | undefined {
    return this.#reason
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  /** How the protocol on top tells the other side that nothing new is welcome. Default: the end of the stream. */
  set farewell(farewell: () => void) {
    this.#farewell = farewell
    if (this.#isDraining) farewell()
  }

  /** Says farewell, and destroys the connection if it is still open after `drainMs`; `Infinity`: lets it finish. */
  drain(reason: CloseReason, drainMs: number): void {
    if (this.#isDraining || this.socket.destroyed) return
    this.#reason ??= reason
    if (drainMs <= 0) return this.destroy(reason)
    this.#isDraining = true
    this.#farewell()
    if (drainMs === Infinity || this.socket.destroyed) return
    this.#end = this.#deadlines.add(this.#clock.monotonicMs() + drainMs, () => this.socket.destroy())
  }

  /** Its socket has closed. */
  closed(): void {
    this.#end?.[Symbol.dispose]()
  }

  /** Ends it now; what is on its way is lost. */
  destroy(reason: CloseReason): void {
    this.#reason = reason
    this.socket.destroy()
  }
}
