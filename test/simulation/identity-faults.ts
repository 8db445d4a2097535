import type { AgentMachine } from './agent-machine.ts'
import type { Invariants } from './invariants.ts'
import type { Random } from './random.ts'
import type { ServerFaults } from './server-faults.ts'
import type { SimulatedSystem } from './system.ts'

/** What takes an agent its identity, so that it must be invited again. */
export const identityFaults = ['lose-disk', 'evict', 'ban', 'thief'] as const
export type IdentityFault = (typeof identityFaults)[number]

const JOINS_WITHIN_MS = 60

export class IdentityFaults {
  readonly #system: SimulatedSystem
  readonly #invariants: Invariants
  readonly #random: Random
  readonly #serverFaults: ServerFaults
  #isOver = false
  #banned = 0

  constructor(system: SimulatedSystem, invariants: Invariants, random: Random, serverFaults: ServerFaults) {
    this.#system = system
    this.#invariants = invariants
    this.#random = random
    this.#serverFaults = serverFaults
  }

  goWrong(fault: IdentityFault, agent: AgentMachine): void {
    switch (fault) {
      case 'lose-disk':
        return this.#loseDisk(agent)
      case 'evict':
        return void this.#evict(agent)
      case 'ban':
        return void this.#ban(agent)
      case 'thief':
        // Who is lost and is invited again is robbed again.
        return this.#loseDisk(agent)
    }
  }

  /** Joins that are under way are left alone. */
  end(): void {
    this.#isOver = true
  }

  #loseDisk(agent: AgentMachine): void {
    if (!agent.isRunning) return
    agent.restarts = false
    agent.crash(true)
    agent.loseDisk()
    agent.restarts = true
    void this.#system.admit(agent).then(() => this.#spoilJoin(agent))
  }

  /** The answer to a first request is the one that cannot be asked for again. */
  #spoilJoin(agent: AgentMachine): void {
    const { time, network } = this.#system.world
    const random = this.#random
    if (this.#isOver || random.chance(0.4)) return
    if (random.chance(0.5)) return this.#serverFaults.crashAtCommit('crash-after')
    time.after(random.between(0, JOINS_WITHIN_MS), () => network.breakOne(agent.link, random))
  }

  async #evict(agent: AgentMachine): Promise<void> {
    const { identity } = agent
    if (identity === '') return
    agent.disturbed()
    await this.#outcast(agent, identity, () => this.#system.admin.evict(identity))
    await this.#system.admit(agent)
    agent.disturbed()
  }

  /** Most of them stay, so that there is something left to look at. */
  async #ban(agent: AgentMachine): Promise<void> {
    const { identity } = agent
    if (identity === '' || this.#banned >= this.#system.agents.length - 1) return
    this.#banned++
    agent.disturbed()
    await this.#outcast(agent, identity, () => this.#system.admin.ban(identity))
  }

  async #outcast(agent: AgentMachine, identity: string, action: () => Promise<void>): Promise<void> {
    try {
      await action()
      this.#system.world.trace.add(`${agent.name} is outcast: acknowledged`)
      this.#invariants.outcast(identity)
    } catch (error) {
      this.#system.world.trace.remark(String(error))
    }
    agent.disturbed()
  }
}
