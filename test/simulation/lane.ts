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

/** As many messages may be under way before a writer has to wait, as with a window of bytes. */
const WINDOW = 3

/** One direction of a connection: what is sent arrives in order, later, and not while the link is down. */
export class Lane {
  readonly #deps: LaneDeps
  readonly #to: SimulatedProcess
  #frames: { readonly atMs: number; readonly deliver: () => void }[] = []
  #lastMs = 0
  /** Sent and not yet taken by the other side. */
  #underWay = 0
  #writers: (() => void)[] = []
  #isPumping = false

  constructor(deps: LaneDeps, to: SimulatedProcess) {
    this.#deps = deps
    this.#to = to
  }

  send(deliver: () => void): void {
    const { time, random, link } = this.#deps
    this.#lastMs = Math.max(this.#lastMs, time.nowMs + random.between(link.minMs, link.maxMs))
    this.#underWay++
    const taken = (): void => {
      deliver()
      this.#underWay--
      if (this.#underWay < WINDOW) this.release()
    }
    this.#frames.push({ atMs: this.#lastMs, deliver: taken })
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

  /** May more be sent? Else a promise for the moment when it may, or when the connection is gone. */
  get full(): Promise<void> | undefined {
    return this.#underWay < WINDOW ? undefined : new Promise((resolve) => this.#writers.push(resolve))
  }

  release(): void {
    for (const resume of this.#writers.splice(0)) resume()
  }

  /** What is on its way never arrives. */
  lose(): void {
    this.#frames = []
    this.#underWay = 0
    this.release()
  }
}
