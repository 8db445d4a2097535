import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import { Admin } from './admin.ts'
import { AgentMachine } from './agent-machine.ts'
import { SERVER_ADDRESS, ServerMachine, type ServerTimes } from './server-machine.ts'
import { Workload } from './workload.ts'
import { World, type WorldOptions } from './world.ts'

export interface SystemSize {
  readonly agents: number
  readonly workloadsPerAgent: number
  readonly times: ServerTimes
  readonly heartbeat: string
  readonly witSvid: boolean
}

const INVITE_RETRY_MS = 1000

const isTurnedAway = ({ running }: AgentMachine): boolean =>
  running?.status.state === 'refused' || running?.status.state === 'banned'

/** A server, its agents, their workloads and an administrator. */
export class SimulatedSystem {
  readonly world: World
  readonly server: ServerMachine
  readonly agents: readonly AgentMachine[]
  readonly workloads: readonly Workload[]
  readonly admin: Admin
  readonly #shown = new WeakMap<Buffer, Certificate>()

  constructor(options: WorldOptions, { agents, workloadsPerAgent, times, heartbeat, witSvid }: SystemSize) {
    this.world = new World(options)
    const { world } = this
    this.server = new ServerMachine(world, times, witSvid)
    this.admin = new Admin(world)
    this.agents = Array.from(
      { length: agents },
      (_, index) => new AgentMachine(world, `agent-${index + 1}`, { heartbeat, witSvid }),
    )
    this.workloads = this.agents.flatMap((agent) =>
      Array.from({ length: workloadsPerAgent }, (_, index) => new Workload(world, agent, 101 + index)),
    )
  }

  start(): void {
    this.server.start()
    for (const agent of this.agents) void this.admit(agent)
    for (const workload of this.workloads) workload.start()
  }

  /** Called with every invitation that is made. */
  onInvited: (invitation: string) => void = () => undefined

  /** Gives an agent a new invitation, and starts it when it does not run. */
  async admit(agent: AgentMachine): Promise<void> {
    for (;;) {
      try {
        const invitation = await this.admin.invite(agent.alias)
        agent.disk.put('/join', invitation)
        this.onInvited(invitation)
        this.world.trace.add(`${agent.name} is invited`)
        break
      } catch (error) {
        this.world.trace.remark(`no invitation: ${String(error)}`)
        await this.admin.process.wait(INVITE_RETRY_MS)
      }
    }
    if (!agent.isRunning && agent.restarts) agent.start()
    // It would look at its new invitation in a few minutes; who brings one starts the agent again.
    else if (isTurnedAway(agent)) agent.crash(false)
  }

  /**
   * Does the server show itself with an authority that the agent has never heard of? It was away for too long: only a new invitation
   * brings it back, since nothing that it holds can vouch for the server any more.
   */
  isLost({ running }: AgentMachine): boolean {
    const known = running?.entitlements.ownBundle
    const [shown] = this.world.network.shownAt(SERVER_ADDRESS) ?? []
    if (known === undefined || shown === undefined) return false
    let leaf = this.#shown.get(shown)
    if (leaf === undefined) this.#shown.set(shown, (leaf = decodeCertificate(shown)))
    const { authorityKeyId } = leaf
    return !known.x509Authorities.some(
      ({ certificate }) => authorityKeyId !== undefined && certificate.subjectKeyId?.equals(authorityKeyId) === true,
    )
  }

  /** How long nothing has disturbed an agent or the server it talks to. */
  calmMs(agent: AgentMachine): number {
    const { server, world } = this
    if (server.running === undefined || server.process.isFrozen || !server.process.isAlive) return 0
    const areClocksEqual = Math.abs(agent.wall.offsetMs - server.wall.offsetMs) < 1000
    return areClocksEqual ? Math.min(agent.calmMs, world.time.nowMs - server.disturbedMs) : 0
  }
}
