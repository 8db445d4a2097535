import type { Clock } from '../../src/clock.ts'

interface Timer {
  readonly atMs: number
  readonly action: () => void
}

/** Time that stands still until a test moves it. The wall clock can jump, the steady one cannot. */
export class FakeClock implements Clock {
  #wallMs: number
  #steadyMs = 0
  readonly #timers = new Set<Timer>()

  constructor(start: Date = new Date(Date.UTC(2026, 0, 1))) {
    this.#wallMs = start.getTime()
  }

  now(): Date {
    return new Date(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#steadyMs
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error)
      const timer = this.timer(ms, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      const onAbort = (): void => {
        timer[Symbol.dispose]()
        reject(signal?.reason as Error)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  timer(ms: number, action: () => void): Disposable {
    const timer = { atMs: this.#steadyMs + Math.max(0, ms), action }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) }
  }

  /** Lets time pass: what is due happens in order, each with everything that follows from it at once. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#steadyMs + ms
    await settled()
    for (let next = this.#nextUntil(endMs); next !== undefined; next = this.#nextUntil(endMs)) {
      this.#moveTo(next.atMs)
      this.#timers.delete(next)
      next.action()
      await settled()
    }
    this.#moveTo(endMs)
    await settled()
  }

  /** Somebody sets the wall clock; no time passes. */
  jump(ms: number): void {
    this.#wallMs += ms
  }

  #moveTo(steadyMs: number): void {
    this.#wallMs += steadyMs - this.#steadyMs
    this.#steadyMs = steadyMs
  }

  #nextUntil(endMs: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers)
      if (timer.atMs <= endMs && (next === undefined || timer.atMs < next.atMs)) next = timer
    return next
  }
}

/** Everything that can happen without time passing has happened. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
}
