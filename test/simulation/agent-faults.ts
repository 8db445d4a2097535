import type { AgentMachine } from './agent-machine.ts'
import type { Random } from './random.ts'
import type { SimulatedSystem } from './system.ts'

/** What happens to a node: its network, its disk, its clock, its process. */
export const agentFaults = [
  'cut',
  'cut',
  'partition',
  'slow',
  'kill-agent',
  'power-agent',
  'agent-write',
  'agent-disk-full',
  'freeze-agent',
  'agent-clock',
] as const
export type AgentFault = (typeof agentFaults)[number]

export class AgentFaults {
  readonly #system: SimulatedSystem
  readonly #random: Random

  constructor(system: SimulatedSystem, random: Random) {
    this.#system = system
    this.#random = random
  }

  goWrong(fault: AgentFault, agent: AgentMachine): void {
    const { world } = this.#system
    const random = this.#random
    switch (fault) {
      case 'cut':
        if (world.network.breakOne(agent.link, random)) agent.disturbed()
        return
      case 'partition':
        return this.#partition(agent, random.pick([2_000, 20_000, 60_000, 200_000]))
      case 'slow':
        return this.#slow(agent)
      case 'kill-agent':
        return agent.crash(false, random.pick([500, 5_000, 150_000]))
      case 'power-agent':
        return agent.crash(true, random.pick([5_000, 60_000]))
      case 'agent-write':
        return this.#crashAtWrite(agent)
      case 'agent-disk-full':
        return this.#fillDisk(agent)
      case 'freeze-agent':
        return this.#freeze(agent)
      case 'agent-clock':
        return this.#setClock(agent)
    }
  }

  repair(): void {
    const { server, agents } = this.#system
    for (const agent of agents) {
      agent.disk.fate = () => 'done'
      agent.wall.offsetMs = server.wall.offsetMs
      this.#heal(agent)
      if (agent.process.isFrozen) this.#thaw(agent)
      agent.disturbed()
    }
  }

  #partition(agent: AgentMachine, ms: number): void {
    const { world } = this.#system
    if (agent.link.isDown) return
    world.network.cutOff(agent.link)
    world.time.after(ms, () => this.#heal(agent))
  }

  #heal(agent: AgentMachine): void {
    const { world } = this.#system
    if (!agent.link.isDown) return
    world.trace.add(`${agent.name} is connected again`)
    world.network.heal(agent.link)
    agent.disturbed()
  }

  #slow(agent: AgentMachine): void {
    const { link } = agent
    link.maxMs = this.#random.pick([100, 1_000, 3_000])
    agent.disturbed()
    this.#system.world.time.after(this.#random.between(10_000, 90_000), () => {
      link.maxMs = 4
      agent.disturbed()
    })
  }

  #crashAtWrite(agent: AgentMachine): void {
    const fate = this.#random.pick(['crashed-before', 'crashed-after'] as const)
    agent.disk.fate = () => {
      agent.disk.fate = () => 'done'
      return fate
    }
  }

  #fillDisk(agent: AgentMachine): void {
    agent.isFaulty = true
    agent.disk.fate = () => 'failed'
    agent.disturbed()
    this.#system.world.time.after(this.#random.between(2_000, 60_000), () => {
      agent.disk.fate = () => 'done'
      agent.disturbed()
    })
  }

  #freeze(agent: AgentMachine): void {
    const { world } = this.#system
    if (!agent.isRunning || agent.process.isFrozen) return
    const { process } = agent
    process.freeze()
    world.network.frozen(process)
    world.time.after(this.#random.pick([1_000, 30_000, 100_000, 300_000]), () => {
      if (agent.process === process && process.isFrozen) this.#thaw(agent)
    })
  }

  #thaw(agent: AgentMachine): void {
    this.#system.world.trace.add(`${agent.name} goes on`)
    agent.disturbed()
    agent.process.thaw()
  }

  #setClock(agent: AgentMachine): void {
    const { world, server } = this.#system
    agent.wall.offsetMs =
      server.wall.offsetMs + this.#random.pick([-7_200_000, -30_000, -2_000, 2_000, 30_000, 7_200_000])
    agent.disturbed()
    world.time.after(this.#random.between(5_000, 120_000), () => {
      world.trace.add(`${agent.name} has its clock set right`)
      agent.wall.offsetMs = server.wall.offsetMs
      agent.disturbed()
    })
  }
}
