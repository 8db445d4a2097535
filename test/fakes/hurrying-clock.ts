import type { Clock } from '../../src/clock.ts'

/** A clock on which every wait is over at once: time jumps to its end. It remembers what was waited for. */
export class HurryingClock implements Clock {
  #nowMs: number
  readonly #startMs: number
  readonly slept: number[] = []

  constructor(now = new Date('2026-06-01T12:00:00Z')) {
    this.#startMs = this.#nowMs = now.getTime()
  }

  now(): Date {
    return new Date(this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.#nowMs += ms
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    this.slept.push(ms)
    this.pass(ms)
    await Promise.resolve()
    signal?.throwIfAborted()
  }

  timer(ms: number, action: () => void): Disposable {
    let disposed = false
    queueMicrotask(() => {
      if (disposed) return
      this.pass(ms)
      action()
    })
    return { [Symbol.dispose]: () => (disposed = true) }
  }
}
