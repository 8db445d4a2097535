import type { Clock } from '../../src/clock.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { brokerExpired, type Broker } from './brokers.ts'
import { ended } from './workloads.ts'

export interface CallLifeDeps {
  readonly call: AbortSignal
  readonly peer: Peer
  readonly broker: Broker
  readonly clock: Clock
}

/** The longest that a timer waits before it looks at the wall clock again, which may have been set. */
const LONGEST_LOOK_MS = 60 * 60 * 1000

/** For how long a call for a workload goes on: until it ends itself, the workload does, or the certificate of the broker. */
export class CallLife implements Disposable {
  readonly #deps: CallLifeDeps
  readonly #over = new AbortController()
  #timer: Disposable | undefined

  constructor(deps: CallLifeDeps) {
    this.#deps = deps
    const { call, peer } = deps
    if (call.aborted) this.#over.abort(call.reason)
    call.addEventListener('abort', this.#onCallOver)
    if (peer.exited.aborted) this.#onExit()
    peer.exited.addEventListener('abort', this.#onExit)
    this.#awaitExpiry()
  }

  readonly #onCallOver = (): void => this.#over.abort(this.#deps.call.reason)
  readonly #onExit = (): void => this.#over.abort(ended(this.#deps.peer.pid))

  get signal(): AbortSignal {
    return this.#over.signal
  }

  #awaitExpiry(): void {
    const { broker, clock } = this.#deps
    const leftMs = broker.expiresAt.getTime() - clock.now().getTime()
    if (leftMs <= 0) this.#over.abort(brokerExpired(broker.spiffeId))
    else this.#timer = clock.timer(Math.min(leftMs, LONGEST_LOOK_MS), () => this.#awaitExpiry())
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]()
    this.#deps.call.removeEventListener('abort', this.#onCallOver)
    this.#deps.peer.exited.removeEventListener('abort', this.#onExit)
  }
}
