import { type Clock, sleepUnlessAborted } from '../clock.ts'
import type { Log } from '../log/log.ts'

/** How long after a failure a loop starts again. */
const RESTART_MS = 1000

/** What a process does on its own until it stops. A loop that fails is started again: none may end silently. */
export class Loops implements AsyncDisposable {
  readonly #deps: { readonly clock: Clock; readonly log: Log }
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []
  readonly #failing = new Set<string>()

  constructor(deps: { readonly clock: Clock; readonly log: Log }) {
    this.#deps = deps
  }

  /** Names of the loops that have failed and were not yet restarted. */
  get failing(): ReadonlySet<string> {
    return this.#failing
  }

  /** Aborts when the process stops. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  start(name: string, run: (signal: AbortSignal) => Promise<unknown>): void {
    this.#running.push(this.#keep(name, run))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the process stops'))
    await Promise.all(this.#running)
  }

  async #keep(name: string, run: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        this.#failing.delete(name)
        await run(signal)
        if (!signal.aborted) this.#deps.log.warn({ loop: name }, 'A loop ended by itself, starting it again')
      } catch (error) {
        if (signal.aborted) return
        this.#failing.add(name)
        this.#deps.log.error({ loop: name, err: error }, 'A loop failed, starting it again')
      }
      await sleepUnlessAborted(this.#deps.clock, RESTART_MS, signal)
    }
  }
}
