import type { Clock } from '../../src/clock.ts'

interface Hooks {
  readonly begun: () => void
  readonly ended: () => void
}

/**
 * The time that a caller is kept waiting for something that may be on its way, once in a call. Its signal is the one that all of the
 * call waits with: `AbortSignal.any` of two would cost each open stream a kilobyte more.
 */
export class Hold implements Disposable {
  readonly #clock: Clock
  readonly #ms: number
  readonly #hooks: Hooks
  readonly #call: AbortSignal
  readonly #over = new AbortController()
  #timer: Disposable | undefined
  #isSpent = false
  #why: () => Error = () => new Error('not held')

  constructor(clock: Clock, ms: number, hooks: Hooks, call: AbortSignal) {
    this.#clock = clock
    this.#ms = ms
    this.#hooks = hooks
    this.#call = call
    if (call.aborted) this.#over.abort(call.reason)
    else call.addEventListener('abort', this.#onCallOver)
  }

  readonly #onCallOver = (): void => this.#over.abort(this.#call.reason)

  /** Aborts with the call, or with what to tell the caller when the time is over. */
  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** Waits on, or throws what to tell the caller when there is no time to wait, or it was waited before. */
  wait(why: () => Error): void {
    this.#why = why
    if (this.#timer !== undefined) return
    if (this.#isSpent || this.#ms === 0) throw why()
    this.#isSpent = true
    this.#hooks.begun()
    this.#timer = this.#clock.timer(this.#ms, () => this.#over.abort(this.#why()))
  }

  /** The caller is served: losing everything from now on is told at once. */
  end(): void {
    this.#isSpent = true
    if (this.#timer === undefined) return
    this.#timer[Symbol.dispose]()
    this.#timer = undefined
    this.#hooks.ended()
  }

  [Symbol.dispose](): void {
    this.#call.removeEventListener('abort', this.#onCallOver)
    this.end()
  }
}
