import type { Clock } from '../../../src/clock.ts'

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #wallMs: number
  #monotonicMs = 1_000_000
  #waiting: { readonly at: number; readonly action: () => void }[] = []

  constructor(start: Date) {
    this.#wallMs = start.getTime()
  }

  now(): Date {
    return new Date(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** Time passes: both clocks move, and what waits is woken. */
  advance(ms: number): void {
    this.#wallMs += ms
    this.#monotonicMs += ms
    const due = this.#waiting.filter(({ at }) => at <= this.#monotonicMs)
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#monotonicMs)
    for (const { action } of due.toSorted((a, b) => a.at - b.at)) action()
  }

  /** Somebody sets the wall clock. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  /** How many sleeps and timers wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.timer(ms, resolve)
      const abort = (): void => {
        timer[Symbol.dispose]()
        reject(signal?.reason as Error)
      }
      if (signal?.aborted === true) abort()
      else signal?.addEventListener('abort', abort, { once: true })
    })
  }

  timer(ms: number, action: () => void): Disposable {
    const entry = { at: this.#monotonicMs + ms, action }
    this.#waiting.push(entry)
    return { [Symbol.dispose]: () => void (this.#waiting = this.#waiting.filter((one) => one !== entry)) }
  }
}
