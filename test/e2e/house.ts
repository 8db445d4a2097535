import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, runSallyport, sallyport, type Finished, type RunningProcess } from './processes.ts'

export interface HouseOptions {
  /** Lines added to server.yaml. */
  readonly serverYaml?: string
  readonly agentYaml?: string
  /** Where the agent keeps workload keys over a restart. Default: a folder on disk, in which it keeps none. */
  readonly runtimeDir?: string
  /** Makes what the server needs before it starts. */
  readonly before?: (folder: string) => Promise<void>
}

/** A server and an agent of the product in a folder of their own, started by their documented commands. */
export class House implements AsyncDisposable {
  readonly folder: string
  readonly port: number
  readonly trustDomain = 'example.org'
  readonly nodeId = 'spiffe://example.org/node/web-1'
  readonly #agentYaml: string
  readonly #runtimeDir: string
  server: RunningProcess | undefined
  agent: RunningProcess | undefined

  private constructor(folder: string, port: number, { agentYaml = '', runtimeDir = 'private/runtime' }: HouseOptions) {
    this.folder = folder
    this.port = port
    this.#agentYaml = agentYaml
    this.#runtimeDir = runtimeDir
  }

  /** A server that runs, without an agent. */
  static async withServer(options: HouseOptions = {}): Promise<House> {
    const house = new House(mkdtempSync(join(tmpdir(), 'sallyport-e2e-')), await freePort(), options)
    const address = `127.0.0.1:${house.port}`
    const init = await runSallyport([
      'server',
      'init',
      '--trust-domain',
      house.trustDomain,
      '--dir',
      house.path('server'),
      '--listen',
      address,
      '--advertise',
      address,
    ])
    if (init.code !== 0) throw new Error(init.stderr)
    const file = house.path('server/server.yaml')
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n${options.serverYaml ?? ''}\n`)
    await options.before?.(house.folder)
    await house.startServer()
    return house
  }

  /** A server and an agent that has joined by token. */
  static async open(options: HouseOptions = {}): Promise<House> {
    const house = await House.withServer(options)
    await house.join()
    await house.startAgent()
    return house
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  get serverSocket(): string {
    return this.path('server/admin.sock')
  }

  get agentSocket(): string {
    return this.path('agent/api.sock')
  }

  get agentAdminSocket(): string {
    return this.path('agent/private/admin.sock')
  }

  get serverData(): string {
    return this.path('server/data')
  }

  /** The address that SPIFFE libraries take. */
  get endpoint(): string {
    return `unix:${this.agentSocket}`
  }

  async startServer(): Promise<void> {
    this.server = sallyport(['server', 'run', '--config', this.path('server/server.yaml')])
    await this.server.printed(/"msg":"Server ready"/)
  }

  async join(): Promise<void> {
    const token = await this.cli('token', 'create', '--spiffe-id', this.nodeId)
    if (token.code !== 0) throw new Error(token.stderr)
    mkdirSync(this.path('agent/private'), { recursive: true, mode: 0o700 })
    writeFileSync(this.path('agent/private/join.txt'), token.stdout, { mode: 0o600 })
    const yaml = `dataDir: private/data\nruntimeDir: ${this.#runtimeDir}\nsocket: api.sock\nadminSocket: private/admin.sock\nattestor: {joinFile: private/join.txt}\n${this.#agentYaml}\n`
    writeFileSync(this.path('agent/agent.yaml'), yaml)
  }

  async startAgent(): Promise<void> {
    this.agent = sallyport(['agent', 'run', '--config', this.path('agent/agent.yaml')])
    await this.agent.printed(/"msg":"Agent ready"/)
  }

  /** The certificates that verify SVIDs of this trust domain, now. */
  async bundlePem(): Promise<string> {
    const { stdout, stderr } = await this.cli('bundle', 'show', '--format', 'pem')
    if (stdout === '') throw new Error(stderr)
    return stdout
  }

  /** Runs a command of the product against this house. */
  cli(...args: readonly string[]): Promise<Finished> {
    return runSallyport([
      '--server-socket',
      this.serverSocket,
      '--agent-socket',
      this.endpoint,
      '--agent-admin-socket',
      this.agentAdminSocket,
      ...args,
    ])
  }

  /** As `cli`, for what must succeed; returns what it printed as JSON. */
  async json<T = Record<string, unknown>>(...args: readonly string[]): Promise<T> {
    const { code, stdout, stderr } = await this.cli('--output', 'json', ...args)
    if (code !== 0) throw new Error(`sallyport ${args.join(' ')} ended with ${code}: ${stderr}`)
    return JSON.parse(stdout) as T
  }

  /** Registers the user that runs the tests, unless other selectors are given. */
  async register(path: string, ...options: readonly string[]): Promise<void> {
    const selector = options.includes('--selector') ? [] : ['--selector', `unix:uid:${process.getuid?.() ?? 0}`]
    await this.json(
      'entry',
      'create',
      '--spiffe-id',
      `spiffe://${this.trustDomain}${path}`,
      '--parent',
      this.nodeId,
      ...selector,
      ...options,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent?.stop('SIGKILL')
    await this.server?.stop('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }
}
