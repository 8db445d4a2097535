import { EventQueue } from './event-queue.ts'

/** Turns of the event loop after which work that was said to leave it must be back. */
const HELD_TURNS_MAX = 2000

/** The time of a whole simulation. It stands still while anything can still happen now, and jumps over what is idle. */
export class VirtualTime {
  readonly #queue = new EventQueue()
  #nowMs = 0
  #held = 0
  /** Events so far. */
  count = 0

  /** Milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs
  }

  after(ms: number, action: () => void): Disposable {
    const happening = this.#queue.add(this.#nowMs + Math.max(0, ms), action)
    return { [Symbol.dispose]: () => this.#queue.cancel(happening) }
  }

  /** Time stands still until the returned is disposed: for work that leaves the event loop, such as loading a module. */
  hold(): Disposable {
    let isHeld = true
    this.#held++
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#held--
        isHeld = false
      },
    }
  }

  /** Lets everything happen that is due until `untilMs`; `afterEach` runs when an event and all that followed from it is over. */
  async runUntil(untilMs: number, afterEach?: () => boolean | void): Promise<void> {
    await this.#quiet()
    for (let next = this.#queue.next(untilMs); next !== undefined; next = this.#queue.next(untilMs)) {
      this.#nowMs = next.atMs
      this.count++
      next.action()
      await this.#quiet()
      if (afterEach?.() === true) return
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  /** Promises run to their end before an immediate does: nothing here waits for anything outside of the process. */
  async #quiet(): Promise<void> {
    await turn()
    for (let turns = 0; this.#held > 0; turns++) {
      if (turns > HELD_TURNS_MAX) throw new Error('the simulation waits for something that does not come back')
      await turn()
    }
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
