import type { Clock } from '../../src/clock.ts'
import { Wake } from '../entries/wake.ts'

/** How long a change may be on its way to a workload stream before the agent acknowledges it all the same. */
export const DELIVERY_LIMIT_MS = 30_000

/** One open workload stream: it takes a version, writes it, and says so. */
export interface PolicyReader extends Disposable {
  /** The version that is now on its way to the workload. */
  take(): void
  /** What was taken has been written. */
  delivered(): void
}

interface Place {
  readonly wake: Wake
  taken: number
  /** Everything up to this version has been written, or was there before the stream. */
  written: number
}

/** The workload streams that are told of changes of policy, and what is still on its way to them. */
export class PolicyReaders {
  readonly #clock: Clock
  readonly #places = new Set<Place>()
  readonly #opened = new Wake()
  readonly #waiters = new Set<{ readonly version: number; readonly resolve: () => void }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#places.size
  }

  /** Resolves once there is a stream. */
  async opened(signal: AbortSignal): Promise<void> {
    while (this.#places.size === 0) await this.#opened.wait(signal)
  }

  open(wake: Wake, version: () => number): PolicyReader {
    const place: Place = { wake, taken: version(), written: version() }
    this.#places.add(place)
    this.#opened.ring()
    return {
      take: () => void (place.taken = version()),
      delivered: () => {
        place.written = place.taken
        this.#release()
      },
      [Symbol.dispose]: () => {
        this.#places.delete(place)
        this.#release()
      },
    }
  }

  /** Something changed, if only the age: every stream has it still to come. */
  ring(): void {
    for (const { wake } of this.#places) wake.ring()
  }

  /** Resolves when every stream has been written everything up to `version`; a workload that does not read is not waited for long. */
  async delivered(version: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiter = { version, resolve }
    this.#waiters.add(waiter)
    using _timer = this.#clock.timer(DELIVERY_LIMIT_MS, resolve)
    this.#release()
    await promise
    this.#waiters.delete(waiter)
  }

  #release(): void {
    for (const { version, resolve } of this.#waiters) {
      if (!this.#places.values().some(({ written }) => written < version)) resolve()
    }
  }
}
