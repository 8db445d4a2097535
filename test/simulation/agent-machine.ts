import { openAgent, type RunningAgent } from '../../agent/agent.ts'
import { agentConfig, type AgentConfig } from '../../agent/config.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import { MetricRegistry } from '../../src/metrics/registry.ts'
import { SimulatedDisk } from './disk.ts'
import type { Link } from './lane.ts'
import type { SimulatedProcess, WallClock } from './machine.ts'
import { OWN_TRUST_DOMAIN } from './oracle.ts'
import type { Random } from './random.ts'
import { SERVER_ADDRESS } from './server-machine.ts'
import type { World } from './world.ts'

const RESTART_MS = 1_000

/** A node with an agent: its disk outlives its processes. */
export class AgentMachine {
  readonly name: string
  readonly wall: WallClock
  readonly disk: SimulatedDisk
  /** The way to the server. */
  readonly link: Link
  readonly socket: string
  readonly adminSocket: string
  readonly alias: string
  readonly #world: World
  readonly #random: Random
  readonly #config: AgentConfig
  process: SimulatedProcess
  running: RunningAgent | undefined
  disturbedMs = 0
  lives = 0
  isFaulty = false
  restarts = true

  /** Whether it gives out WIT-SVIDs. */
  readonly witSvid: boolean

  // What the invariants remember of it
  /** Highest revision that it has acknowledged under its present identity. */
  acknowledged = 0
  /** Of the fast lane, likewise. */
  acknowledgedEntry = 0
  /** The revision that it is known to have reached. */
  reached = 0
  identity = ''
  seenSequence = -1
  seenIdentity: SpiffeId | undefined
  heldKey = ''
  /** The server's time as a heartbeat last told it, and when. */
  floor: { readonly serverMs: number; readonly atMs: number } | undefined
  lastChangeMs = 0
  /** When its fast lane last changed. */
  lastEntryMs = 0

  constructor(world: World, name: string, options: { readonly heartbeat: string; readonly witSvid: boolean }) {
    this.#world = world
    this.#random = world.random.fork()
    this.name = name
    this.witSvid = options.witSvid
    this.wall = world.machine()
    this.link = world.link(`${name}-server`, 0.3, 4)
    this.alias = `spiffe://${OWN_TRUST_DOMAIN}/node/${name}`
    this.socket = `/${name}/api.sock`
    this.adminSocket = `/${name}/private/admin.sock`
    this.disk = new SimulatedDisk(world.random.fork(), (path) => path.startsWith('/run/'))
    this.disk.crash = () => this.crash(false)
    this.process = world.process(name, this.wall)
    this.#config = agentConfig.parse({
      trustDomain: OWN_TRUST_DOMAIN,
      server: { address: SERVER_ADDRESS },
      dataDir: '/data',
      runtimeDir: '/run/state',
      socket: this.socket,
      adminSocket: this.adminSocket,
      attestor: { joinFile: '/join' },
      heartbeatInterval: options.heartbeat,
      svids: { keyPool: 2 },
      experimental: { witSvid: options.witSvid },
    })
  }

  get isRunning(): boolean {
    return this.process.isAlive && this.lives > 0
  }

  /** Nothing has happened to it for so long. */
  get calmMs(): number {
    if (!this.isRunning || this.process.isFrozen || this.link.isDown || this.running === undefined) return 0
    return this.#world.time.nowMs - this.disturbedMs
  }

  disturbed(): void {
    this.disturbedMs = this.#world.time.nowMs
  }

  start(): void {
    const world = this.#world
    const process = this.lives++ === 0 ? this.process : world.process(this.name, this.wall)
    this.process = process
    this.disturbed()
    this.seenSequence = -1
    this.floor = undefined
    this.reached = Math.min(this.reached, this.acknowledged)
    world.trace.add(`${this.name} starts`)
    const log = world.logOf(process, (sentence, err) => {
      if (sentence.startsWith('The server has banned')) return
      if (!this.isFaulty) world.violation(`${this.name} reports "${sentence}": ${String(err)}`)
    })
    openAgent(this.#config, {
      ...{ clock: process.clock, cryptography: world.cryptography, random: this.#random.bytes, log },
      metrics: new MetricRegistry(),
      disk: this.disk.openFor(process),
      connect: ({ address, verify, identity }) =>
        world.network.connect({
          ...{ link: this.link, address, client: process },
          tls: { clientAddress: `10.0.0.${this.name.length}`, chain: identity?.chain, verify },
        }),
      serve: world.network.serveFor(process),
      attestors: [{ type: 'unix', attest: async ({ uid }) => [`uid:${uid}`] }],
      checkSameExecutable: () => undefined,
      prepareFolders: () => undefined,
    }).then(
      (running) => {
        if (!process.isAlive) return
        this.running = running
        this.disturbed()
        world.trace.add(`${this.name} is ready`)
      },
      (error: unknown) => {
        if (!process.isAlive) return
        world.trace.add(`${this.name} does not start: ${error instanceof Error ? error.message : String(error)}`)
        if (!this.isFaulty) world.violation(`${this.name} does not start: ${String(error)}`)
        this.crash(false)
      },
    )
  }

  crash(isPowerLoss: boolean, restartMs = RESTART_MS): void {
    if (!this.isRunning) return
    const world = this.#world
    world.trace.add(`${this.name} ${isPowerLoss ? 'loses power' : 'is killed'}`)
    const { process } = this
    process.kill()
    this.running = undefined
    this.disturbed()
    if (isPowerLoss) this.disk.loseMemory()
    world.network.ended(process, isPowerLoss)
    world.time.after(restartMs, () => {
      if (this.restarts && !this.process.isAlive) this.start()
    })
  }

  /** Its disk is gone with all that it was: it has to join anew, as somebody else. */
  loseDisk(): void {
    this.disk.loseAll()
    this.acknowledged = 0
    this.acknowledgedEntry = 0
    this.reached = 0
    this.identity = ''
    this.heldKey = ''
    this.floor = undefined
  }
}
