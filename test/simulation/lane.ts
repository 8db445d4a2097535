import type { SimulatedProcess } from './machine.ts'
import type { Random } from './random.ts'
import type { VirtualTime } from './virtual-time.ts'

/** The way between two machines, or between two processes of one: how long it takes, and whether anything gets through. */
export interface Link {
  readonly name: string
  minMs: number
  maxMs: number
  isDown: boolean
}

export interface LaneDeps {
  readonly time: VirtualTime
  readonly random: Random
  readonly link: Link
}

/** One direction of a connection: what is sent arrives in order, later, and not while the link is down. */
export class Lane {
  readonly #deps: LaneDeps
  readonly #to: SimulatedProcess
  #frames: { readonly atMs: number; readonly deliver: () => void }[] = []
  #lastMs = 0
  #isPumping = false

  constructor(deps: LaneDeps, to: SimulatedProcess) {
    this.#deps = deps
    this.#to = to
  }

  send(deliver: () => void): void {
    const { time, random, link } = this.#deps
    this.#lastMs = Math.max(this.#lastMs, time.nowMs + random.between(link.minMs, link.maxMs))
    this.#frames.push({ atMs: this.#lastMs, deliver })
    this.pump()
  }

  /** Delivers what is due; call it when the link is up again. */
  pump(): void {
    const { time, link } = this.#deps
    const [first] = this.#frames
    if (this.#isPumping || link.isDown || first === undefined) return
    this.#isPumping = true
    time.after(first.atMs - time.nowMs, () => {
      this.#isPumping = false
      // Lost meanwhile, or held back until the link is up again.
      if (link.isDown || this.#frames[0] !== first) return this.pump()
      this.#frames.shift()
      this.#to.run(first.deliver)
      this.pump()
    })
  }

  /** What is on its way never arrives. */
  lose(): void {
    this.#frames = []
  }
}
