import { EventQueue } from './event-queue.ts'

/** Turns of the event loop after which work that was said to leave it must be back. */
const HELD_TURNS_MAX = 2000
/** Far more than all timers of a system that could be due together. */
const EVENTS_AT_ONCE_MAX = 5000
/** A real turn now and then, for what the runtime does only in those: rejections that nobody handles, timers of the test runner. */
const EVENTS_PER_TURN = 64

const kept = Promise.resolve()

/** The time of a whole simulation. It stands still while anything can still happen now, and jumps over what is idle. */
export class VirtualTime {
  readonly #queue = new EventQueue()
  #nowMs = 0
  #held = 0
  /** Events so far. */
  count = 0
  #countAtNow = 0

  /** Milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** So much happens at one instant that nothing else ever will: something asks to be woken at once, again and again. */
  get isSpinning(): boolean {
    return this.#countAtNow > EVENTS_AT_ONCE_MAX
  }

  after(ms: number, action: () => void): Disposable {
    return this.#queue.add(this.#nowMs + Math.max(0, ms), action)
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
  runUntil(untilMs: number, afterEach?: () => boolean | void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let heldTurns = 0
    let isFirst = true
    const step = (): void => {
      try {
        if (this.#held > 0) {
          if (heldTurns++ > HELD_TURNS_MAX)
            throw new Error('the simulation waits for something that does not come back')
          return void setImmediate(step)
        }
        heldTurns = 0
        if (!isFirst && afterEach?.() === true) return resolve()
        isFirst = false
        if (!this.#happenNext(untilMs)) return resolve()
        this.#whenQuiet(step)
      } catch (error) {
        reject(error as Error)
      }
    }
    this.#whenQuiet(step)
    return promise
  }

  #happenNext(untilMs: number): boolean {
    const next = this.#queue.next(untilMs)
    this.#countAtNow = next === undefined || next.atMs > this.#nowMs ? 0 : this.#countAtNow + 1
    this.#nowMs = Math.max(this.#nowMs, next?.atMs ?? untilMs)
    if (next === undefined) return false
    this.count++
    next.action()
    return true
  }

  /**
   * All promises that can go on do so before a tick that was asked for among them: nothing here waits for anything outside of the
   * process. A turn of the event loop would cost more than most events.
   */
  #whenQuiet(step: () => void): void {
    if (this.count % EVENTS_PER_TURN === 0) setImmediate(step)
    else void kept.then(() => process.nextTick(step))
  }
}
