/** Something that will happen, unless it is disposed of before. */
export class Happening implements Disposable {
  readonly atMs: number
  readonly order: number
  readonly #queue: EventQueue
  /** Undefined once it has happened or was cancelled. */
  action: (() => void) | undefined

  constructor(queue: EventQueue, atMs: number, order: number, action: () => void) {
    this.#queue = queue
    this.atMs = atMs
    this.order = order
    this.action = action
  }

  [Symbol.dispose](): void {
    this.#queue.cancel(this)
  }
}

/** What will happen, soonest first; at the same instant in the order in which it was planned. A binary heap. */
export class EventQueue {
  #heap: Happening[] = []
  #count = 0
  #cancelled = 0

  get size(): number {
    return this.#heap.length - this.#cancelled
  }

  add(atMs: number, action: () => void): Happening {
    const happening = new Happening(this, atMs, this.#count++, action)
    this.#heap.push(happening)
    this.#up(this.#heap.length - 1)
    return happening
  }

  cancel(happening: Happening): void {
    if (happening.action === undefined) return
    happening.action = undefined
    this.#cancelled++
    // Most timers are cancelled: without this, watchdogs that are wound up again and again would pile up.
    if (this.#cancelled > 64 && this.#cancelled > this.#heap.length / 2) this.#sweep()
  }

  /** Takes out the next one, when it is not later than `untilMs`. */
  next(untilMs: number): { readonly atMs: number; readonly action: () => void } | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.action === undefined) {
        this.#pop()
        this.#cancelled--
        continue
      }
      if (top.atMs > untilMs) return undefined
      this.#pop()
      const { atMs, action } = top
      top.action = undefined
      return { atMs, action }
    }
    return undefined
  }

  #sweep(): void {
    this.#heap = this.#heap.filter(({ action }) => action !== undefined).toSorted((a, b) => (isBefore(a, b) ? -1 : 1))
    this.#cancelled = 0
  }

  #pop(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#down(0)
  }

  #up(start: number): void {
    let at = start
    const moved = this.#at(at)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(moved, this.#at(parent))) break
      this.#heap[at] = this.#at(parent)
      at = parent
    }
    this.#heap[at] = moved
  }

  #down(start: number): void {
    let at = start
    const moved = this.#at(at)
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && isBefore(this.#at(child + 1), this.#at(child))) child++
      if (!isBefore(this.#at(child), moved)) break
      this.#heap[at] = this.#at(child)
      at = child
    }
    this.#heap[at] = moved
  }

  #at(index: number): Happening {
    const happening = this.#heap[index]
    if (happening === undefined) throw new TypeError('outside of the heap')
    return happening
  }
}

const isBefore = (a: Happening, b: Happening): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
