import { EventEmitter } from 'node:events'
import type { TLSSocket } from 'node:tls'

/** As much of a TLS socket as those who look at open connections go by. */
export class StandInSocket extends EventEmitter {
  destroyed = false
  /** Whether the other side was told that nothing more comes. */
  isEnded = false
  readonly remotePort = 50_000

  /** As what the types ask for. */
  static open(): StandInSocket & TLSSocket {
    return new StandInSocket() as unknown as StandInSocket & TLSSocket
  }

  getProtocol(): string {
    return 'TLSv1.3'
  }

  end(): void {
    this.isEnded = true
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    // As sockets do: not while somebody is still in the middle of closing the others.
    setImmediate(() => this.emit('close'))
  }
}
