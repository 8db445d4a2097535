import type { Clock } from '../src/clock.ts'
import type { Log } from '../src/log/log.ts'

/** How long after a failure a loop starts again. */
const RESTART_MS = 1000

/** What the agent does on its own until it stops. A loop that fails is started again: none may end silently. */
export class Loops implements AsyncDisposable {
  readonly #deps: { readonly clock: Clock; readonly log: Log }
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []

  constructor(deps: { readonly clock: Clock; readonly log: Log }) {
    this.#deps = deps
  }

  /** Aborts when the agent stops. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  start(name: string, run: (signal: AbortSignal) => Promise<unknown>): void {
    this.#running.push(this.#keep(name, run))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the agent stops'))
    await Promise.all(this.#running)
  }

  async #keep(name: string, run: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await run(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#deps.log.error({ loop: name, err: error }, 'A loop of the agent failed, starting it again')
      }
      // Only the end of the agent interrupts this.
      await this.#deps.clock.sleep(RESTART_MS, signal).catch(() => undefined)
    }
  }
}
