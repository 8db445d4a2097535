import { Outbox } from '../../agent/upstream/outbox.ts'
import { parseJoinString } from '../../src/config/join-string.ts'
import { agentService, type AttestAgentRequest } from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { encodeCsr } from '../../src/x509/encode-csr.ts'
import { parseJws } from '../../src/jws/parse-jws.ts'
import { Refused, type EntryOrder } from './admin.ts'
import type { AgentMachine } from './agent-machine.ts'
import type { Invariants } from './invariants.ts'
import { START_MS } from './machine.ts'
import { PolicyDeeds } from './policy-deeds.ts'
import type { Random } from './random.ts'
import type { SimulatedSystem } from './system.ts'
import type { Workload } from './workload.ts'

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

/** What goes wrong. A run draws some of them. */
const faults = [
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
  'kill-server',
  'server-commit',
  'freeze-server',
  'server-clock',
  'store-fails',
  'lose-disk',
  'evict',
  'ban',
  'thief',
] as const

/** For each agent. */
const ENTRIES_MAX = 8
const JOINS_WITHIN_MS = 60
const TENDED_AGAIN_MS = 2 * 60_000

type Fault = (typeof faults)[number]
type Deed = (typeof deeds)[number]

interface KnownEntry {
  order: EntryOrder
  /** Undefined while nobody knows. */
  isThere: boolean | undefined
  isBusy: boolean
}

/** What the administrator, the workloads and bad luck do in one run. */
export class Scenario {
  readonly #system: SimulatedSystem
  readonly #invariants: Invariants
  readonly #random: Random
  readonly #entries = new Map<string, KnownEntry>()
  readonly #policyDeeds: PolicyDeeds
  readonly #faults: readonly Fault[]
  readonly #meanDeedMs: number
  readonly #meanFaultMs: number
  /** Ids that were deleted and must never be seen again. */
  readonly #forgotten = new Set<string>()
  #count = 0
  #isOver = false
  #banned = 0

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
  }

  /** Somebody who has seen an invitation uses it as well, sooner or later than the node that it was made for. */
  async #steal(invitation: string): Promise<void> {
    const { world, server } = this.#system
    const { token, serverAddress } = parseJoinString(invitation)
    const thief = world.process('thief', server.wall)
    await thief.wait(this.#random.pick([0, 5, 20, 5_000, 60_000]) + this.#random.between(0, 10))
    const transport = world.network.connect({
      ...{ link: world.link('thief-server', 0.3, 4), address: serverAddress, client: thief },
      tls: { clientAddress: '10.9.9.9', chain: undefined, verify: () => undefined },
    })
    const requests = new Outbox<Sent<AttestAgentRequest>>()
    const csr = await encodeCsr({ keyPair: await world.cryptography.generateKeyPair('ec-p256') }, world.cryptography)
    requests.push({ params: { data: { type: 'join_token', payload: Buffer.from(token) }, params: { csr } } })
    try {
      for await (const _ of transport.client(agentService).attestAgent(requests, { timeoutMs: 20_000 })) {
        world.trace.add('a thief has joined')
        this.#stolen = true
      }
    } catch (error) {
      world.trace.add('a thief is refused')
      world.trace.remark(String(error))
    }
  }
  #stolen = false

  get faults(): readonly string[] {
    return this.#faults
  }

  start(): void {
    if (this.#faults.includes('thief')) {
      this.#system.server.hasThieves = true
      this.#system.onInvited = (invitation) => {
        if (!this.#isOver) void this.#steal(invitation)
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
    const { world, server, agents } = this.#system
    world.trace.add('faults end')
    server.fate = () => 'done'
    if (server.process.isFrozen) this.#thawServer()
    for (const agent of agents) {
      agent.disk.fate = () => 'done'
      agent.wall.offsetMs = server.wall.offsetMs
      this.#heal(agent)
      if (agent.process.isFrozen) this.#thaw(agent)
      agent.disturbed()
    }
  }

  /** Ids whose end was acknowledged. */
  get gone(): ReadonlySet<string> {
    return this.#forgotten
  }

  /** An administrator looks after agents that cannot find back by themselves. */
  tend(): void {
    const { agents, world } = this.#system
    for (const agent of agents) {
      const { status } = agent.running ?? {}
      // Its token was used by somebody else, or it waited so long to join that the server has other authorities now.
      const isLate = status?.reason.includes('the join file names') === true
      const isRobbed = this.#stolen && !world.oracle.agents.has(agent.identity) && status?.state === 'refused'
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
  readonly #tended = new Set<AgentMachine>()

  /** What the administrator knows to be there. */
  get known(): readonly KnownEntry[] {
    return [...this.#entries.values()]
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

  // Deeds

  #do(deed: Deed): void {
    // A system that only grew would spend its time on entries that say the same.
    const isFull = this.#entries.size >= ENTRIES_MAX * this.#system.agents.length
    const free = [...this.#entries.values()].filter(({ isBusy }) => !isBusy)
    const there = free.filter(({ isThere }) => isThere === true)
    switch (deed) {
      case 'create':
        if (isFull) return
        return this.#create(this.#newOrder(this.#random.pick(this.#system.agents).alias))
      case 'nest':
        if (there.length > 0 && !isFull) this.#create(this.#newOrder(this.#random.pick(there).order.spiffeId))
        return
      case 'update':
        if (there.length > 0) this.#update(this.#random.pick(there))
        return
      case 'delete':
        if (there.length > 0) this.#delete(this.#random.pick(there))
        return
      case 'recreate':
        if (there.length > 0) this.#recreate(this.#random.pick(there))
        return
      case 'reopen':
        return this.#random.pick(this.#system.workloads).reopen()
      case 'token':
        void this.#passToken(this.#random.pick(this.#system.workloads))
        return
    }
  }

  #newOrder(parentId: string): EntryOrder {
    const id = `entry-${++this.#count}`
    return { id, parentId, ...this.#newContent() }
  }

  #newContent(): Omit<EntryOrder, 'id' | 'parentId'> {
    const number = ++this.#count
    return {
      spiffeId: `spiffe://example.org/w/${this.#random.below(1000)}`,
      selectors: [`uid:${this.#random.pick(this.#system.workloads).uid}`],
      dnsName: `n${number}.internal`,
      ttlSeconds: this.#random.pick([0, 0, 60, 90]),
    }
  }

  #create(order: EntryOrder): void {
    const known: KnownEntry = { order, isThere: undefined, isBusy: true }
    this.#entries.set(order.id, known)
    this.#perform(`creates ${order.id}`, known, async () => {
      const entry = await this.#system.admin.createEntry(order)
      known.isThere = true
      this.#mustBeThere(entry.id, entry.revisionNumber)
    })
  }

  #update(known: KnownEntry): void {
    const { spiffeId, selectors, ...details } = this.#newContent()
    // As often as not the identity stays what it was, and only what its certificate says changes.
    const order = { ...known.order, ...details, ...(this.#random.chance(0.5) ? { spiffeId, selectors } : {}) }
    this.#perform(`updates ${order.id}`, known, async () => {
      const entry = await this.#system.admin.updateEntry(order)
      known.order = order
      this.#mustBeThere(entry.id, entry.revisionNumber)
    })
  }

  #delete(known: KnownEntry): void {
    this.#perform(`deletes ${known.order.id}`, known, async () => {
      await this.#system.admin.deleteEntry(known.order.id)
      known.isThere = false
      this.#mustBeGone(known.order.id)
      this.#forgotten.add(known.order.id)
      this.#entries.delete(known.order.id)
    })
  }

  /** The same id with another meaning, at once. */
  #recreate(known: KnownEntry): void {
    this.#perform(`makes ${known.order.id} anew`, known, async () => {
      // Twice within a second: time on the wire is told in whole seconds.
      for (let times = this.#random.pick([1, 3]); times > 0; times--) {
        await this.#system.admin.deleteEntry(known.order.id)
        known.isThere = false
        this.#mustBeGone(known.order.id)
        known.order = { ...known.order, ...this.#newContent() }
        known.isThere = undefined
        const entry = await this.#system.admin.createEntry(known.order)
        known.isThere = true
        this.#mustBeThere(entry.id, entry.revisionNumber)
      }
    })
  }

  #perform(what: string, known: KnownEntry, action: () => Promise<void>): void {
    const { world } = this.#system
    known.isBusy = true
    world.trace.add(`admin ${what}`)
    action()
      .then(
        () => world.trace.add(`admin ${what}: acknowledged`),
        (error: unknown) => {
          // Refused is an answer; anything else leaves open what happened.
          if (!(error instanceof Refused)) known.isThere = undefined
          world.trace.add(`admin ${what}: ${error instanceof Refused ? `refused (${error.code})` : 'no answer'}`)
          world.trace.remark(String(error))
        },
      )
      .finally(() => (known.isBusy = false))
  }

  #mustBeThere(id: string, revisionNumber: number): void {
    const entry = this.#system.world.oracle.entries.get(id)
    if (entry === undefined || entry.revisionNumber < revisionNumber) {
      this.#system.world.violation(`entry ${id} was acknowledged and is not stored`)
    }
  }

  #mustBeGone(id: string): void {
    if (this.#system.world.oracle.entries.has(id)) {
      this.#system.world.violation(`the end of entry ${id} was acknowledged and is not stored`)
    }
  }

  /** A workload gets a token; another one, at another agent, asks whether it is good. */
  async #passToken(from: Workload): Promise<void> {
    const { world, workloads, server } = this.#system
    const audience = `audience-${this.#random.below(3)}`
    const other = this.#random.pick(workloads)
    const token = await from.fetchToken(audience)
    if (token === undefined) return
    const { keyId = '', payload } = parseJws(token)
    const expiresAtMs = Number(payload['exp']) * 1000
    this.#invariants.tokenGiven(keyId, expiresAtMs)
    world.trace.add(`${from.name} has a token`)
    if (expiresAtMs <= from.process.wallMs) world.violation(`${from.name} is given a token that has expired`)
    const wasCalm = this.#system.calmMs(other.agent) > 60_000 && this.#system.calmMs(from.agent) > 60_000
    const refusal = await other.validate(token, audience)
    const isCalm = this.#system.calmMs(other.agent) > 60_000 && other.streamSinceMs !== undefined
    const isValid = expiresAtMs > START_MS + world.time.nowMs + server.wall.offsetMs
    if (refusal !== undefined && wasCalm && isCalm && isValid) {
      world.violation(`${other.name} refuses the token of ${from.name}: ${refusal}`)
    }
  }

  // Faults

  #goWrong(fault: Fault): void {
    const { world, server, agents } = this.#system
    const random = this.#random
    const agent = random.pick(agents)
    world.trace.add(`fault: ${fault} (${agent.name})`)
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
      case 'kill-server':
        return server.crash(random.chance(0.3), random.pick([500, 5_000, 60_000]))
      case 'server-commit':
        return this.#crashAtCommit()
      case 'freeze-server':
        return this.#freezeServer()
      case 'server-clock':
        return this.#setServerClock()
      case 'store-fails':
        return this.#failStore()
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

  #freezeServer(): void {
    const { world, server } = this.#system
    const { process } = server
    if (!process.isAlive || process.isFrozen) return
    process.freeze()
    world.network.frozen(process)
    server.disturbedMs = world.time.nowMs
    world.time.after(this.#random.pick([1_000, 10_000, 60_000]), () => {
      if (server.process === process && process.isFrozen) this.#thawServer()
    })
  }

  #thawServer(): void {
    const { world, server } = this.#system
    world.trace.add('server goes on')
    server.disturbedMs = world.time.nowMs
    server.process.thaw()
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

  /** All clocks with it, as if they had one source: forward by any amount, backward by little, since agents never believe less. */
  #setServerClock(): void {
    const { world, server, agents } = this.#system
    const jumpMs = this.#random.pick([-5_000, 5_000, 30_000, 60_000])
    server.wall.offsetMs += jumpMs
    server.disturbedMs = world.time.nowMs
    for (const agent of agents) agent.wall.offsetMs += jumpMs
  }

  #crashAtCommit(fate = this.#random.pick(['crash-before', 'crash-after'] as const)): void {
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
    if (random.chance(0.5)) return this.#crashAtCommit('crash-after')
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
