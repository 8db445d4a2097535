import { serverConfig, type ServerConfig } from '../../server/config.ts'
import { storedSignerOf, type StoredKeyPair } from '../../server/keys/stored-key-pair.ts'
import type { KeyStore, StoredKeyType, StoredSigner } from '../../server/keys/key-store.ts'
import { openServer, type RunningServer } from '../../server/server.ts'
import type { Outcome, Transaction } from '../../server/store/store.ts'
import { MetricRegistry } from '../../src/metrics/registry.ts'
import { SallyportError } from '../../src/errors.ts'
import { MemoryStore } from '../fakes/memory-store.ts'
import { ed25519Of } from './cheap-cryptography.ts'
import type { SimulatedProcess, WallClock } from './machine.ts'
import { OWN_TRUST_DOMAIN } from './oracle.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

export const SERVER_ADDRESS = 'server:8081'
export const ADMIN_SOCKET = '/server/admin.sock'
const RESTART_MS = 2_000

/** What can happen to a transaction. */
export type CommitFate = 'done' | 'crash-before' | 'crash-after' | 'fail-before' | 'fail-after'

export interface ServerTimes {
  readonly caTtl: string
  readonly x509Ttl: string
  readonly jwtTtl: string
  readonly agentTtl: string
}

export interface ServerHooks {
  beforeCommit(transactions: readonly Transaction[]): void
  afterCommit(committed: readonly Transaction[]): void
}

/** The machine of the server: its disk (database and keys) outlives its processes. */
export class ServerMachine {
  readonly wall: WallClock
  readonly #world: World
  readonly #random: Random
  readonly #config: ServerConfig
  readonly #keys = new Map<string, StoredKeyPair>()
  store: MemoryStore | undefined
  process: SimulatedProcess
  running: RunningServer | undefined
  /** Asked at each commit. */
  fate: () => CommitFate = () => 'done'
  hooks: ServerHooks = { beforeCommit: () => undefined, afterCommit: () => undefined }
  /** When something last happened to it. */
  disturbedMs = 0
  /** An error in its log is expected: a fault was put into its store. */
  isFaulty = false
  /** Somebody else has seen invitations. */
  hasThieves = false
  lives = 0
  restarts = true
  /** How long it is away after a crash at a commit. */
  awayMs = RESTART_MS

  constructor(world: World, times: ServerTimes, witSvid: boolean) {
    this.#world = world
    this.#random = world.random.fork()
    this.wall = world.machine()
    this.process = world.process('server', this.wall)
    this.#config = serverConfig.parse({
      trustDomain: OWN_TRUST_DOMAIN,
      dataDir: '/server/data',
      listen: SERVER_ADDRESS,
      advertisedAddress: SERVER_ADDRESS,
      adminSocket: ADMIN_SOCKET,
      ca: { ttl: times.caTtl },
      svid: { x509Ttl: times.x509Ttl, jwtTtl: times.jwtTtl, agentTtl: times.agentTtl },
      experimental: { witSvid },
    })
  }

  start(): void {
    const world = this.#world
    const process = this.lives++ === 0 ? this.process : world.process('server', this.wall)
    this.process = process
    this.disturbedMs = world.time.nowMs
    world.trace.add('server starts')
    const log = world.logOf(process, (sentence, err) => {
      if (this.hasThieves && sentence === 'Join token used twice') return
      if (!this.isFaulty) world.violation(`the server reports "${sentence}": ${String(err)}`)
    })
    openServer(this.#config, {
      ...{ clock: process.clock, cryptography: world.cryptography, random: this.#random.bytes, log },
      metrics: new MetricRegistry(),
      openDataFolder: () => ({ databasePath: '/server/db', keysFolder: '/server/keys', serverId: '0123456789abcdef' }),
      openStore: async () => this.#openStore(process),
      openKeys: async () => this.#openKeys(process),
      prepareSocketFolder: () => undefined,
      serve: world.network.serveFor(process),
    }).then(
      (running) => {
        if (!process.isAlive) return
        this.running = running
        this.disturbedMs = world.time.nowMs
        world.trace.add('server is ready')
      },
      (error: unknown) => {
        if (!process.isAlive) return
        world.trace.add(`server does not start: ${error instanceof Error ? error.message : String(error)}`)
        if (!this.isFaulty) world.violation(`the server does not start: ${String(error)}`)
        this.crash(false)
      },
    )
  }

  /** Kills it at once; it is started again a little later. */
  crash(isPowerLoss: boolean, restartMs = RESTART_MS): void {
    if (!this.process.isAlive) return
    const world = this.#world
    world.trace.add(`server ${isPowerLoss ? 'loses power' : 'is killed'}`)
    const { process } = this
    process.kill()
    this.running = undefined
    this.disturbedMs = world.time.nowMs
    world.network.ended(process, isPowerLoss)
    world.time.after(restartMs, () => {
      if (this.restarts) this.start()
    })
  }

  #openStore(process: SimulatedProcess): MemoryStore {
    const options = {
      clock: process.clock,
      epoch: 'epoch-1',
      beforeCommit: async (transactions: readonly Transaction[]): Promise<void> => {
        await process.wait(this.#random.between(0.3, 3))
        this.hooks.beforeCommit(transactions)
        const fate = this.fate()
        if (fate === 'fail-before') throw this.#failure()
        if (fate === 'crash-before') await this.#crashNow()
        this.#next = fate
      },
      afterCommit: async (transactions: readonly Transaction[], outcomes: readonly Outcome[]): Promise<void> => {
        await this.#tellOracle()
        this.hooks.afterCommit(transactions.filter((_, index) => outcomes[index]?.ok === true))
        const fate = this.#next
        this.#next = 'done'
        if (fate === 'crash-after') await this.#crashNow()
        if (fate === 'fail-after') throw this.#failure()
        await process.wait(this.#random.between(0.02, 0.5))
      },
    }
    this.store = this.store === undefined ? new MemoryStore(options) : this.store.reopened(options)
    return this.store
  }
  #next: CommitFate = 'done'

  async #tellOracle(): Promise<void> {
    const { oracle, time } = this.#world
    for (const revision of (await this.store?.changesSince(oracle.revision)) ?? []) oracle.apply(revision, time.nowMs)
  }

  #failure(): SallyportError {
    this.#world.trace.add('the store of the server fails')
    return new SallyportError('STORE_FAILED', 'Cannot write: the writer is gone')
  }

  async #crashNow(): Promise<void> {
    this.crash(false, this.awayMs)
    await new Promise(() => undefined)
  }

  #openKeys(process: SimulatedProcess): KeyStore {
    const world = this.#world
    const signerOf = <T extends StoredKeyType>(pair: StoredKeyPair<T>): StoredSigner<T> =>
      storedSignerOf(pair, world.cryptography)
    return {
      generate: async <T extends StoredKeyType>(name: string, type: T): Promise<StoredSigner<T>> => {
        await process.wait(this.#random.between(0.5, 2))
        const pair =
          type === 'ed25519'
            ? ed25519Of(this.#random.bytes(32))
            : await world.cryptography.generateKeyPair(type as Exclude<StoredKeyType, 'ed25519'>)
        if (process.isAlive) this.#keys.set(name, { type, ...pair })
        const signer = signerOf({ type, ...pair })
        return name.startsWith('x509-') ? this.#heldUntilUsed(signer) : signer
      },
      signer: async (name) => {
        const pair = this.#keys.get(name)
        return pair === undefined ? undefined : signerOf(pair)
      },
      remove: async (name) => {
        await process.wait(0.1)
        if (process.isAlive) this.#keys.delete(name)
      },
      names: async () => [...this.#keys.keys()].toSorted(),
    }
  }

  /** The library that makes the certificate of an authority is loaded when it is first needed, outside of virtual time. */
  #heldUntilUsed<T extends StoredKeyType>(signer: StoredSigner<T>): StoredSigner<T> {
    const hold = this.#world.time.hold()
    return {
      ...signer,
      sign: async (algorithm, data, encoding) => {
        hold[Symbol.dispose]()
        return signer.sign(algorithm, data, encoding)
      },
    }
  }
}
