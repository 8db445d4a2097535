import { AgentFaults, agentFaults, type AgentFault } from './agent-faults.ts'
import { EntryDeeds, type KnownEntry } from './entry-deeds.ts'
import { identityFaults, IdentityFaults, type IdentityFault } from './identity-faults.ts'
import type { Invariants } from './invariants.ts'
import { passToken } from './pass-token.ts'
import { PolicyDeeds } from './policy-deeds.ts'
import type { Random } from './random.ts'
import { serverFaults, ServerFaults, type ServerFault } from './server-faults.ts'
import type { SimulatedSystem } from './system.ts'
import { Tending } from './tending.ts'
import { Thief } from './thief.ts'

/** What people and programs do. */
const deeds = [
  'create',
  'create',
  'create',
  'update',
  'update',
  'delete',
  'recreate',
  'token',
  'token',
  'nest',
  'reopen',
] as const
type Deed = (typeof deeds)[number]

/** What goes wrong. A run draws some of them. */
const faults = [...agentFaults, ...serverFaults, ...identityFaults] as const
type Fault = (typeof faults)[number]

/** What the administrator, the workloads and bad luck do in one run, drawn from one row of numbers. */
export class Scenario {
  readonly #system: SimulatedSystem
  readonly #invariants: Invariants
  readonly #random: Random
  readonly #faults: readonly Fault[]
  readonly #meanDeedMs: number
  readonly #meanFaultMs: number
  readonly #policyDeeds: PolicyDeeds
  readonly #entryDeeds: EntryDeeds
  readonly #agentFaults: AgentFaults
  readonly #serverFaults: ServerFaults
  readonly #identityFaults: IdentityFaults
  readonly #thief: Thief
  readonly #tending: Tending
  #isOver = false

  constructor(system: SimulatedSystem, invariants: Invariants, lastsMs: number, policyRandom: Random) {
    this.#system = system
    this.#policyDeeds = new PolicyDeeds(system, policyRandom, lastsMs)
    this.#invariants = invariants
    this.#random = system.world.random.fork()
    // Few kinds of faults at a time go deeper than all of them at once.
    const share = this.#random.pick([0, 0.15, 0.3, 0.6])
    this.#faults = faults.filter(() => this.#random.chance(share))
    this.#meanDeedMs = lastsMs / this.#random.pick([10, 40, 80])
    this.#meanFaultMs = lastsMs / this.#random.pick([3, 8, 20])
    this.#entryDeeds = new EntryDeeds(system, this.#random)
    this.#agentFaults = new AgentFaults(system, this.#random)
    this.#serverFaults = new ServerFaults(system, this.#random)
    this.#identityFaults = new IdentityFaults(system, invariants, this.#random, this.#serverFaults)
    this.#thief = new Thief(system, this.#random)
    this.#tending = new Tending(system, this.#thief)
  }

  get faults(): readonly string[] {
    return this.#faults
  }

  /** What the administrator knows to be there. */
  get known(): readonly KnownEntry[] {
    return this.#entryDeeds.known
  }

  /** Ids of entries whose end was acknowledged. */
  get gone(): ReadonlySet<string> {
    return this.#entryDeeds.gone
  }

  start(): void {
    if (this.#faults.includes('thief')) {
      this.#system.server.hasThieves = true
      this.#system.onInvited = (invitation) => {
        if (!this.#isOver) void this.#thief.steal(invitation)
      }
    }
    this.#policyDeeds.start()
    for (const _ of this.#system.workloads) this.#do('create')
    this.#later(this.#meanDeedMs, () => this.#deedLoop())
    if (this.#faults.length > 0) this.#later(this.#meanFaultMs, () => this.#faultLoop())
  }

  /** Nothing new happens, and everything that went wrong is repaired. */
  end(): void {
    this.#isOver = true
    this.#policyDeeds.end()
    this.#identityFaults.end()
    this.#system.world.trace.add('faults end')
    this.#serverFaults.repair()
    this.#agentFaults.repair()
  }

  /** An administrator looks after agents that cannot find back by themselves. */
  tend(): void {
    this.#tending.look()
  }

  #later(meanMs: number, action: () => void): void {
    this.#system.world.time.after(-Math.log(1 - this.#random.fraction()) * meanMs, () => {
      if (!this.#isOver) action()
    })
  }

  #deedLoop(): void {
    this.#do(this.#random.pick(deeds))
    this.#later(this.#meanDeedMs, () => this.#deedLoop())
  }

  #faultLoop(): void {
    this.#goWrong(this.#random.pick(this.#faults))
    this.#later(this.#meanFaultMs, () => this.#faultLoop())
  }

  #do(deed: Deed): void {
    const random = this.#random
    const { workloads } = this.#system
    switch (deed) {
      case 'reopen':
        return random.pick(workloads).reopen()
      case 'token':
        return void passToken(this.#system, this.#invariants, random, random.pick(workloads))
      default:
        return this.#entryDeeds.do(deed)
    }
  }

  #goWrong(fault: Fault): void {
    const { world, agents } = this.#system
    const agent = this.#random.pick(agents)
    world.trace.add(`fault: ${fault} (${agent.name})`)
    if (isOneOf<AgentFault>(agentFaults, fault)) this.#agentFaults.goWrong(fault, agent)
    else if (isOneOf<ServerFault>(serverFaults, fault)) this.#serverFaults.goWrong(fault)
    else if (isOneOf<IdentityFault>(identityFaults, fault)) this.#identityFaults.goWrong(fault, agent)
  }
}

const isOneOf = <T extends Fault>(some: readonly T[], fault: Fault): fault is T =>
  (some as readonly Fault[]).includes(fault)
