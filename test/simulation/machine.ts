import type { Clock } from '../../src/clock.ts'
import type { VirtualTime } from './virtual-time.ts'

/** When every simulation begins, as wall clocks tell it. */
export const START_MS = Date.UTC(2026, 0, 1)

/** A clock on the wall of one machine: it may be wrong, and set while processes look at it. */
export class WallClock {
  readonly #time: VirtualTime
  offsetMs = 0

  constructor(time: VirtualTime) {
    this.#time = time
  }

  nowMs(): number {
    return START_MS + this.#time.nowMs + this.offsetMs
  }
}

/**
 * One life of a process. Whatever reaches it (timers, messages, answers of its disk) comes through `run`, so that a process that has
 * been killed never does anything any more, and a frozen one does it later.
 */
export class SimulatedProcess {
  readonly name: string
  readonly clock: Clock
  readonly #time: VirtualTime
  readonly #wall: WallClock
  readonly #ended = new AbortController()
  #frozen: (() => void)[] | undefined
  /** Something has reached it since whoever looks at it put this back. */
  hasRun = false

  constructor(name: string, time: VirtualTime, wall: WallClock) {
    this.name = name
    this.#time = time
    this.#wall = wall
    this.clock = new ProcessClock(this, time, wall)
  }

  get isAlive(): boolean {
    return !this.#ended.signal.aborted
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined
  }

  /** Aborts when the process is killed. */
  get ended(): AbortSignal {
    return this.#ended.signal
  }

  get wallMs(): number {
    return this.#wall.nowMs()
  }

  run(action: () => void): void {
    if (!this.isAlive) return
    if (this.#frozen !== undefined) return void this.#frozen.push(action)
    this.hasRun = true
    action()
  }

  after(ms: number, action: () => void): Disposable {
    return this.#time.after(ms, () => this.run(action))
  }

  /** Never resolves in a process that is dead by then. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve))
  }

  kill(): void {
    this.#frozen = undefined
    this.#ended.abort(new Error(`${this.name} was killed`))
  }

  freeze(): void {
    this.#frozen ??= []
  }

  thaw(): void {
    const waiting = this.#frozen ?? []
    this.#frozen = undefined
    // In their order, each with everything that follows from it, as an event loop that wakes up would.
    for (const action of waiting) this.#time.after(0, () => this.run(action))
  }
}

class ProcessClock implements Clock {
  readonly #process: SimulatedProcess
  readonly #time: VirtualTime
  readonly #wall: WallClock

  constructor(process: SimulatedProcess, time: VirtualTime, wall: WallClock) {
    this.#process = process
    this.#time = time
    this.#wall = wall
  }

  now(): Date {
    return new Date(this.#wall.nowMs())
  }

  monotonicMs(): number {
    return this.#time.nowMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error)
      if (signal === undefined) return void this.timer(ms, resolve)
      const onAbort = (): void => {
        timer[Symbol.dispose]()
        reject(signal.reason as Error)
      }
      const timer = this.timer(ms, () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      })
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  timer(ms: number, action: () => void): Disposable {
    let isDisposed = false
    const happening = this.#process.after(ms, () => {
      if (!isDisposed) action()
    })
    return {
      [Symbol.dispose]: () => {
        isDisposed = true
        happening[Symbol.dispose]()
      },
    }
  }
}
