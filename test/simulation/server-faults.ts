import type { Random } from './random.ts'
import type { SimulatedSystem } from './system.ts'

/** What happens to the server: its store, its clock, its process. */
export const serverFaults = ['kill-server', 'server-commit', 'freeze-server', 'server-clock', 'store-fails'] as const
export type ServerFault = (typeof serverFaults)[number]

export class ServerFaults {
  readonly #system: SimulatedSystem
  readonly #random: Random

  constructor(system: SimulatedSystem, random: Random) {
    this.#system = system
    this.#random = random
  }

  goWrong(fault: ServerFault): void {
    const random = this.#random
    switch (fault) {
      case 'kill-server':
        return this.#system.server.crash(random.chance(0.3), random.pick([500, 5_000, 60_000]))
      case 'server-commit':
        return this.crashAtCommit()
      case 'freeze-server':
        return this.#freeze()
      case 'server-clock':
        return this.#setClock()
      case 'store-fails':
        return this.#failStore()
    }
  }

  repair(): void {
    const { server } = this.#system
    server.fate = () => 'done'
    if (server.process.isFrozen) this.#thaw()
  }

  #freeze(): void {
    const { world, server } = this.#system
    const { process } = server
    if (!process.isAlive || process.isFrozen) return
    process.freeze()
    world.network.frozen(process)
    server.disturbedMs = world.time.nowMs
    world.time.after(this.#random.pick([1_000, 10_000, 60_000]), () => {
      if (server.process === process && process.isFrozen) this.#thaw()
    })
  }

  #thaw(): void {
    const { world, server } = this.#system
    world.trace.add('server goes on')
    server.disturbedMs = world.time.nowMs
    server.process.thaw()
  }

  /** All clocks with it, as if they had one source: forward by any amount, backward by little, since agents never believe less. */
  #setClock(): void {
    const { world, server, agents } = this.#system
    const jumpMs = this.#random.pick([-5_000, 5_000, 30_000, 60_000])
    server.wall.offsetMs += jumpMs
    server.disturbedMs = world.time.nowMs
    for (const agent of agents) agent.wall.offsetMs += jumpMs
  }

  crashAtCommit(fate = this.#random.pick(['crash-before', 'crash-after'] as const)): void {
    const { server } = this.#system
    // Away for longer than many an SVID lives, as often as not.
    server.awayMs = this.#random.pick([2_000, 150_000])
    server.fate = () => {
      server.fate = () => 'done'
      return fate
    }
  }

  #failStore(): void {
    const { world, server } = this.#system
    const fate = this.#random.pick(['fail-before', 'fail-after'] as const)
    server.isFaulty = true
    server.disturbedMs = world.time.nowMs
    server.fate = () => fate
    world.time.after(this.#random.between(100, 5_000), () => {
      server.fate = () => 'done'
      server.disturbedMs = world.time.nowMs
    })
  }
}
