import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../src/clock.ts'
import { silentLog } from '../src/log/log.ts'
import { openChannel } from '../src/wire/channel.ts'
import type { Client, Transport } from '../src/wire/client.ts'
import { lifecycleService, policiesService } from '../src/wire/messages/sallyport-server-v1.ts'
import { agentService } from '../src/wire/messages/spire-api-server-agent-v1.ts'
import { entryService } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import { entryCreated } from '../server/audit/entry-events.ts'
import { openSqliteStore } from '../server/store/sqlite.ts'
import { cleanEnvironment, freePort, RunningProcess } from '../test/e2e/processes.ts'
import { entryMessage, storedEntry } from './entries.ts'
import { inParallel } from './load.ts'
import { launcher } from './package.ts'

export const TRUST_DOMAIN = 'example.org'
export const NODE_ID = 'spiffe://example.org/node/web-1'

/** One client must be able to ask for everything that the machine can do. */
const serverLimits = {
  signing: { perSecond: 1_000_000, burst: 1_000_000 },
  attestation: { perAddress: 1_000_000, total: 1_000_000 },
  handshakesPerSecond: 100_000,
  handshakeBurst: 100_000,
}

export interface SystemOptions {
  readonly agent?: boolean
  readonly entriesStored?: number
  /** Flags for the Node that runs the server. */
  readonly serverFlags?: readonly string[]
  /** Where `count-queries.ts` counts. */
  readonly queriesFile?: string
}

/** The product as processes in a folder of its own, and clients to set it up with. */
export class System implements AsyncDisposable {
  readonly folder: string
  readonly port: number
  #server: RunningProcess | undefined
  #agent: RunningProcess | undefined
  #transport: (Transport & AsyncDisposable) | undefined

  private constructor(folder: string, port: number) {
    this.folder = folder
    this.port = port
  }

  static async open({
    agent = false,
    entriesStored = 0,
    serverFlags = [],
    queriesFile,
  }: SystemOptions = {}): Promise<System> {
    // On a disk: in a folder in memory every flush would be free.
    const parent = process.env['BENCH_FOLDER'] ?? '/var/tmp'
    const system = new System(mkdtempSync(join(parent, 'sallyport-bench-')), await freePort())
    try {
      system.#configure()
      if (entriesStored > 0) await system.#fill(entriesStored)
      await system.startServer(serverFlags, queriesFile === undefined ? {} : { BENCH_QUERIES: queriesFile })
      if (agent) await system.startAgent()
      return system
    } catch (error) {
      await system[Symbol.asyncDispose]()
      throw error
    }
  }

  /** What the processes said at level error, of which there should be nothing. */
  get complaints(): readonly string[] {
    const lines = [this.#server, this.#agent].flatMap((one) => (one === undefined ? [] : one.stderr.split('\n')))
    return lines.filter((line) => line.includes('"level":"error"'))
  }

  get serverPid(): number {
    return pidOf(this.#server)
  }

  get agentPid(): number {
    return pidOf(this.#agent)
  }

  get serverSocket(): string {
    return join(this.folder, 'server/admin.sock')
  }

  get agentSocket(): string {
    return join(this.folder, 'agent/api.sock')
  }

  /** Over the admin socket. */
  get entries(): Client<typeof entryService> {
    return this.#admin.client(entryService)
  }

  get agents(): Client<typeof agentService> {
    return this.#admin.client(agentService)
  }

  get policies(): Client<typeof policiesService> {
    return this.#admin.client(policiesService)
  }

  get lifecycle(): Client<typeof lifecycleService> {
    return this.#admin.client(lifecycleService)
  }

  get #admin(): Transport {
    return (this.#transport ??= openChannel({ address: { unix: this.serverSocket } }))
  }

  /** Resolves with the milliseconds until it was ready. */
  async startServer(flags: readonly string[] = [], environment: NodeJS.ProcessEnv = {}): Promise<number> {
    const startMs = performance.now()
    this.#server = startSallyport(
      ['server', 'run', '--config', join(this.folder, 'server/server.yaml')],
      flags,
      environment,
    )
    await this.#server.printed(/"msg":"Server ready"/, 60_000)
    return performance.now() - startMs
  }

  async stopServer(): Promise<void> {
    await this.#transport?.[Symbol.asyncDispose]()
    this.#transport = undefined
    await this.#server?.stop()
  }

  /** Registers these through the API, in batches of 50; gives their ids. */
  async register(entries: readonly Parameters<typeof entryMessage>[0][]): Promise<string[]> {
    const batches = Array.from({ length: Math.ceil(entries.length / 50) }, (_, index) =>
      entries.slice(index * 50, index * 50 + 50).map(entryMessage),
    )
    const answers = await inParallel(batches, 4, (batch) =>
      this.entries.batchCreateEntry({ entries: batch, outputMask: null }),
    )
    return answers.flatMap(({ results }) =>
      results.map(({ status, entry }) => {
        if (status?.code !== 0 || entry === null) throw new Error(`Cannot register: ${status?.message}`)
        return entry.id
      }),
    )
  }

  #configure(): void {
    mkdirSync(join(this.folder, 'server'), { mode: 0o700 })
    const yaml = [
      `trustDomain: ${TRUST_DOMAIN}`,
      `listen: 127.0.0.1:${this.port}`,
      `advertisedAddress: 127.0.0.1:${this.port}`,
      `limits: ${JSON.stringify(serverLimits)}`,
    ]
    writeFileSync(join(this.folder, 'server/server.yaml'), `${yaml.join('\n')}\n`)
  }

  /** Entries of other nodes, as a server that has been in use for long has them: put straight into its store. */
  async #fill(count: number): Promise<void> {
    mkdirSync(join(this.folder, 'server/data'), { mode: 0o700 })
    const path = join(this.folder, 'server/data/sallyport.db')
    await using store = await openSqliteStore({ path, clock: systemClock, log: silentLog })
    const deed = { at: systemClock.now(), callerId: 'local:uid:0' }
    for (let first = 0; first < count; first += 500) {
      const entries = Array.from({ length: Math.min(500, count - first) }, (_, index) => storedEntry(first + index))
      await store.commitAll(
        entries.map((entry) => ({
          mutations: [{ kind: 'entry.create', entry }],
          audit: [entryCreated(deed, entry)],
        })),
      )
    }
  }

  async startAgent(): Promise<void> {
    const token = startSallyport(['--server-socket', this.serverSocket, 'token', 'create', '--spiffe-id', NODE_ID])
    if ((await token.exited) !== 0) throw new Error(token.stderr)
    mkdirSync(join(this.folder, 'agent/private'), { recursive: true, mode: 0o700 })
    writeFileSync(join(this.folder, 'agent/private/join.txt'), token.stdout, { mode: 0o600 })
    const yaml =
      'dataDir: private/data\nruntimeDir: private/runtime\nsocket: api.sock\nadminSocket: private/admin.sock\nattestor: {joinFile: private/join.txt}\nlimits: {connectionsPerUser: 100000, streamsPerUser: 100000}\n'
    writeFileSync(join(this.folder, 'agent/agent.yaml'), yaml)
    this.#agent = startSallyport(['agent', 'run', '--config', join(this.folder, 'agent/agent.yaml')])
    await this.#agent.printed(/"msg":"Agent ready"/)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport?.[Symbol.asyncDispose]()
    for (const complaint of this.complaints.slice(0, 3)) console.error(complaint)
    // A profile is written when a process ends by itself.
    const signal = process.env['BENCH_PROFILE'] === undefined ? 'SIGKILL' : 'SIGTERM'
    await this.#agent?.stop(signal)
    await this.#server?.stop(signal)
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** As `bin/sallyport.js` starts itself, for runs that need flags besides. */
const nodeFlags = [
  '--disable-sigusr1',
  '--disable-warning=ExperimentalWarning',
  '--max-semi-space-size=8',
  '--expose-gc',
]

/** A command of the product; `BENCH_PROFILE=folder` makes daemons leave a profile there. */
export function startSallyport(
  args: readonly string[],
  flags: readonly string[] = [],
  environment: NodeJS.ProcessEnv = {},
): RunningProcess {
  const profile = process.env['BENCH_PROFILE']
  const profiled = profile !== undefined && args[1] === 'run' ? ['--cpu-prof', '--cpu-prof-dir', profile] : []
  const more = [...flags, ...profiled]
  // The launcher becomes the daemon: what is measured is what a user starts.
  return new RunningProcess(process.execPath, [...(more.length > 0 ? nodeFlags : []), ...more, launcher(), ...args], {
    env: cleanEnvironment({ MALLOC_ARENA_MAX: '2', ...environment }),
  })
}

function pidOf(running: RunningProcess | undefined): number {
  if (running?.child.pid === undefined) throw new TypeError('It does not run')
  return running.child.pid
}
