import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { copyFile, link, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSelector } from '../src/entry/selector.ts'
import { SallyportError } from '../src/errors.ts'
import { printJoinString } from '../src/config/join-string.ts'
import { adminService as agentAdminService } from '../src/wire/messages/sallyport-agent-v1.ts'
import { adminService, policiesService } from '../src/wire/messages/sallyport-server-v1.ts'
import { entryService } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import { withSocket } from './connect.ts'
import { DemoService } from './demo-service-process.ts'
import { demoPolicy } from './dev-policy.ts'
import { idArgument } from './ids.ts'
import { initServer } from './init-server.ts'
import { checkStatus } from './item-status.ts'

const launcher = fileURLToPath(new URL('../bin/sallyport.js', import.meta.url))
const START_TIMEOUT_MS = 20_000
const POLL_MS = 20

/** A server, an agent and two services as real processes in a temporary folder. Disposing ends them and removes the folder. */
export class DevSystem implements AsyncDisposable {
  readonly trustDomain = 'dev.test'
  readonly folder: string
  readonly address: string
  readonly nodeId = `spiffe://dev.test/node/here`
  readonly #keep: boolean
  readonly #children: ChildProcess[] = []
  readonly #services: DemoService[] = []
  readonly #failure = Promise.withResolvers<never>()
  #stopping = false

  private constructor(folder: string, port: number, keep: boolean) {
    this.folder = folder
    this.address = `127.0.0.1:${port}`
    this.#keep = keep
    this.#failure.promise.catch(() => undefined)
    // Ended at once by a second Ctrl-C: still nothing may stay behind.
    process.once('exit', () => this.#abandon())
  }

  static async create(keep: boolean): Promise<DevSystem> {
    return new DevSystem(await mkdtemp(join(tmpdir(), 'sallyport-dev-')), await freePort(), keep)
  }

  get serverSocket(): string {
    return join(this.folder, 'server/admin.sock')
  }

  get agentSocket(): string {
    return join(this.folder, 'agent/api.sock')
  }

  get agentAdminSocket(): string {
    return join(this.folder, 'agent/private/admin.sock')
  }

  get servicePid(): number {
    return this.#services[0]?.pid ?? 0
  }

  /** Rejects when a process ends that nobody stopped. */
  get failed(): Promise<never> {
    return this.#failure.promise
  }

  async startServer(signal: AbortSignal): Promise<void> {
    const folder = join(this.folder, 'server')
    await initServer({
      trustDomain: this.trustDomain,
      dir: folder,
      listen: this.address,
      advertise: this.address,
      output: 'table',
    })
    this.#start('server', ['server', 'run', '--config', join(folder, 'server.yaml'), '--log-level', 'warn'])
    await this.#until(signal, 'the server', () =>
      withSocket(this.serverSocket, 'server', async (transport) => {
        const { authorities } = await transport.client(adminService).getStatus({})
        return authorities.some(({ state }) => state === 'active')
      }),
    )
  }

  async startAgent(signal: AbortSignal): Promise<void> {
    const folder = join(this.folder, 'agent')
    await mkdir(join(folder, 'private'), { recursive: true, mode: 0o700 })
    const token = await withSocket(this.serverSocket, 'server', async (transport) =>
      transport.client(adminService).createToken({ ttlSeconds: 600, spiffeId: this.nodeId }),
    )
    await writeFile(join(folder, 'private/join.txt'), printJoinString(token), { mode: 0o600 })
    await writeFile(join(folder, 'agent.yaml'), agentYaml, { mode: 0o600 })
    const paths = [
      '--data-dir',
      join(folder, 'private/data'),
      '--socket',
      this.agentSocket,
      '--runtime-dir',
      join(folder, 'private/state'),
      '--admin-socket',
      this.agentAdminSocket,
    ]
    this.#start('agent', [
      'agent',
      'run',
      '--config',
      join(folder, 'agent.yaml'),
      '--join-file',
      join(folder, 'private/join.txt'),
      ...paths,
      '--log-level',
      'warn',
    ])
    await this.#until(signal, 'the agent', () =>
      withSocket(this.agentAdminSocket, 'agentAdmin', async (transport) => {
        const { state } = await transport.client(agentAdminService).getStatus({})
        return state === 'in-sync'
      }),
    )
  }

  /** Starts storefront and orders, each from an executable of its own, so that the kernel can tell them apart. */
  async startServices(signal: AbortSignal): Promise<readonly DemoService[]> {
    const names = ['orders', 'storefront'] as const
    for (const name of names) {
      const program = join(this.folder, name)
      // A second name for the same Node: free where the file system allows it, a copy elsewhere.
      await link(process.execPath, program).catch(async () => copyFile(process.execPath, program))
      const peer = `spiffe://${this.trustDomain}/${name === 'orders' ? 'storefront' : 'orders'}`
      const child = spawn(program, [...flags, launcher, 'dev-service', name, peer], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, SPIFFE_ENDPOINT_SOCKET: `unix:${this.agentSocket}` },
        detached: true,
      })
      this.#watch(name, child)
      const selectors = [`unix:uid:${process.getuid?.() ?? 0}`, `unix:path:${program}`]
      this.#services.push(new DemoService(name, `spiffe://${this.trustDomain}/${name}`, selectors, child))
    }
    await Promise.all(this.#services.map(async (service) => service.watching(signal)))
    return this.#services
  }

  /** Registers a service; returns the moment (ms since 1970) at which the server acknowledged it. */
  async register({ spiffeId, selectors }: DemoService): Promise<number> {
    return withSocket(this.serverSocket, 'server', async (transport) => {
      const entry = {
        spiffeId: idArgument(spiffeId),
        parentId: idArgument(this.nodeId),
        selectors: selectors.map(parseSelector),
        x509SvidTtl: 120,
      }
      const asked = Date.now()
      const { results } = await transport.client(entryService).batchCreateEntry({ entries: [entry] })
      for (const { status } of results) checkStatus(status)
      return asked
    })
  }

  /** Applies the policy of the demo; resolves with its revision and the file that it is in. */
  async applyPolicy(): Promise<{ readonly revision: number; readonly file: string }> {
    const file = join(this.folder, 'policy.yaml')
    const source = demoPolicy(this.trustDomain)
    await writeFile(file, source)
    return withSocket(this.serverSocket, 'server', async (transport) => {
      const applied = await transport.client(policiesService).apply({ source, note: 'the demo' })
      return { revision: applied.revision?.revision ?? 0, file }
    })
  }

  #start(name: string, args: readonly string[]): void {
    // Its own process group: Ctrl-C reaches this process only, which stops the others in order.
    this.#watch(
      name,
      spawn(process.execPath, [...flags, launcher, ...args], {
        stdio: ['ignore', 'inherit', 'inherit'],
        detached: true,
      }),
    )
  }

  #watch(name: string, child: ChildProcess): void {
    this.#children.push(child)
    child.on('exit', (code, signal) => {
      if (this.#stopping) return
      this.#failure.reject(
        new SallyportError('DEV_PROCESS_ENDED', `The ${name} ended by itself (${signal ?? `exit code ${code}`})`, {
          hint: 'What it printed above says why.',
        }),
      )
    })
  }

  async #until(signal: AbortSignal, what: string, ready: () => Promise<boolean>): Promise<void> {
    const giveUp = performance.now() + START_TIMEOUT_MS
    for (let last: unknown; ;) {
      signal.throwIfAborted()
      try {
        if (await Promise.race([ready(), this.failed])) return
      } catch (error) {
        if (error instanceof SallyportError && error.code === 'DEV_PROCESS_ENDED') throw error
        last = error
      }
      if (performance.now() > giveUp)
        throw new SallyportError('NOT_READY', `Cannot start ${what} within ${START_TIMEOUT_MS / 1000} s`, {
          cause: last,
          hint: 'What it printed above says why.',
        })
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  #abandon(): void {
    for (const child of this.#children) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    if (!this.#keep) rmSync(this.folder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    for (const child of this.#children.toReversed()) await stop(child)
    if (!this.#keep) await rm(this.folder, { recursive: true, force: true })
  }
}

const flags = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning']

const agentYaml = `# The demo tells its two services apart by the path of their executables.
attestors:
  unix:
    discoverWorkloadPath: true
`

const STOP_TIMEOUT_MS = 5000

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timeout = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  await ended
  clearTimeout(timeout)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
