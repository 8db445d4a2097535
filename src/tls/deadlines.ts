import type { Clock } from '../clock.ts'

/** Never waits longer than this, so that a machine that slept is noticed. */
const LONGEST_WAIT_MS = 60 * 60 * 1000

interface Deadline {
  readonly atMs: number
  action: (() => void) | undefined
}

/** Many deadlines on one timer: a binary heap, soonest first. One that is taken back stays until its time or until half of all are such. */
export class Deadlines {
  readonly #clock: Clock
  #heap: Deadline[] = []
  #dead = 0
  #timer: { readonly atMs: number; readonly handle: Disposable } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** How many have not come and were not taken back. */
  get size(): number {
    return this.#heap.length - this.#dead
  }

  /** Calls `action` once when the steady clock shows `atMs`, unless disposed before. Must not throw. */
  add(atMs: number, action: () => void): Disposable {
    const deadline: Deadline = { atMs, action }
    this.#heap.push(deadline)
    this.#raise(this.#heap.length - 1)
    this.#arm()
    return { [Symbol.dispose]: () => this.#takeBack(deadline) }
  }

  #takeBack(deadline: Deadline): void {
    if (deadline.action === undefined) return
    deadline.action = undefined
    if (++this.#dead * 2 > this.#heap.length) {
      // A sorted list is a heap.
      this.#heap = this.#heap.filter(({ action }) => action !== undefined).toSorted((a, b) => a.atMs - b.atMs)
      this.#dead = 0
    }
    this.#arm()
  }

  #arm(): void {
    const next = this.#heap[0]
    if (this.#timer !== undefined && this.#timer.atMs === next?.atMs) return
    this.#timer?.handle[Symbol.dispose]()
    this.#timer = undefined
    if (next === undefined) return
    const waitMs = Math.min(Math.max(0, next.atMs - this.#clock.monotonicMs()), LONGEST_WAIT_MS)
    this.#timer = { atMs: next.atMs, handle: this.#clock.timer(waitMs, () => this.#run()) }
  }

  #run(): void {
    this.#timer = undefined
    const nowMs = this.#clock.monotonicMs()
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= nowMs; next = this.#heap[0]) {
      this.#removeFirst()
      const { action } = next
      next.action = undefined
      if (action === undefined) this.#dead--
      else action()
    }
    this.#arm()
  }

  #removeFirst(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #raise(index: number): void {
    for (let at = index; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfSooner(at, parent)) return
      at = parent
    }
  }

  #sink(index: number): void {
    for (let at = index; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const child = this.#timeOf(right) < this.#timeOf(left) ? right : left
      if (!this.#swapIfSooner(child, at)) return
      at = child
    }
  }

  #timeOf(index: number): number {
    return this.#heap[index]?.atMs ?? Infinity
  }

  /** Puts the lower one of two above where it is due sooner. */
  #swapIfSooner(lower: number, upper: number): boolean {
    const [below, above] = [this.#heap[lower], this.#heap[upper]]
    if (below === undefined || above === undefined || below.atMs >= above.atMs) return false
    this.#heap[lower] = above
    this.#heap[upper] = below
    return true
  }
}
