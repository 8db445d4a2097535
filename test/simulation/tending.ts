import type { AgentMachine } from './agent-machine.ts'
import type { SimulatedSystem } from './system.ts'
import type { Thief } from './thief.ts'

const TENDED_AGAIN_MS = 2 * 60_000

/** An administrator who looks after agents that cannot find back by themselves. */
export class Tending {
  readonly #system: SimulatedSystem
  readonly #thief: Thief
  readonly #tended = new Set<AgentMachine>()

  constructor(system: SimulatedSystem, thief: Thief) {
    this.#system = system
    this.#thief = thief
  }

  look(): void {
    const { agents, world } = this.#system
    for (const agent of agents) {
      const { status } = agent.running ?? {}
      // Its token was used by somebody else, or it waited so long to join that the server has other authorities now.
      const isLate = status?.reason.includes('the join file names') === true
      const isRobbed = this.#thief.hasJoined && !world.oracle.agents.has(agent.identity) && status?.state === 'refused'
      if (this.#tended.has(agent) || !(isLate || isRobbed || this.#system.isLost(agent))) continue
      world.trace.add(`${agent.name} is lost`)
      this.#tended.add(agent)
      agent.disturbed()
      void this.#system.admit(agent).then(() => {
        // It would look at its new invitation in a few minutes, when the authority that it names may be gone again.
        agent.crash(false)
        world.time.after(TENDED_AGAIN_MS, () => this.#tended.delete(agent))
      })
    }
  }
}
