import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')
export const launcher = join(root, 'bin/sallyport.js')

/** A process of the product, or one that uses it, and everything it prints. */
export class RunningProcess implements AsyncDisposable {
  readonly child: ChildProcess
  stdout = ''
  stderr = ''
  readonly #waiters = new Set<() => void>()
  readonly exited: Promise<number | NodeJS.Signals>

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#heard(() => (this.stdout += text)))
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#heard(() => (this.stderr += text)))
    this.exited = new Promise((done) => {
      this.child.on('error', (error) => {
        this.stderr += error.message
        done(127)
      })
      this.child.on('close', (code, signal) => {
        done(code ?? signal ?? 1)
        this.#heard(() => undefined)
      })
    })
  }

  #heard(take: () => void): void {
    take()
    for (const waiter of this.#waiters) waiter()
  }

  get hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** Resolves when the output matches; rejects with all output when the process ends or the time is over before. */
  async printed(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    const { promise, resolve: found, reject } = Promise.withResolvers<RegExpExecArray>()
    const fail = (why: string): void =>
      reject(new Error(`${why} before it printed ${pattern}:\n${this.stdout}\n${this.stderr}`))
    const look = (): void => {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)
      if (match !== null) found(match)
      else if (this.hasExited) fail('the process ended')
    }
    const timeout = setTimeout(() => fail(`${timeoutMs} ms passed`), timeoutMs)
    this.#waiters.add(look)
    look()
    try {
      return await promise
    } finally {
      clearTimeout(timeout)
      this.#waiters.delete(look)
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM', withinMs = 15_000): Promise<number | NodeJS.Signals> {
    if (!this.hasExited) this.child.kill(signal)
    const timeout = setTimeout(() => this.child.kill('SIGKILL'), withinMs)
    const outcome = await this.exited
    clearTimeout(timeout)
    return outcome
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
  }
}

/** The environment of tests without what would change the product's behaviour. */
export function cleanEnvironment(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(NODE_|VITEST|SALLYPORT_|SPIFFE_|LD_|SSL|npm_)/.test(name),
  )
  return { ...Object.fromEntries(inherited), ...extra }
}

/** Flags that let the launcher run in the process itself, so that signals and memory are the daemon's own. */
const nodeFlags = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning']

export function sallyport(args: readonly string[], options: SpawnOptions = {}): RunningProcess {
  return new RunningProcess(process.execPath, [...nodeFlags, launcher, ...args], {
    cwd: root,
    env: cleanEnvironment(),
    ...options,
  })
}

export interface Finished {
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end. */
export async function run(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { input?: string; timeoutMs?: number } = {},
): Promise<Finished> {
  const { input, timeoutMs = 60_000, ...rest } = options
  await using process = new RunningProcess(command, args, { env: cleanEnvironment(), ...rest })
  process.child.stdin?.on('error', () => undefined)
  process.child.stdin?.end(input)
  const timeout = setTimeout(() => process.child.kill('SIGKILL'), timeoutMs)
  const code = await process.exited
  clearTimeout(timeout)
  return { code, stdout: process.stdout, stderr: process.stderr }
}

export const runSallyport = (args: readonly string[], options: Parameters<typeof run>[2] = {}): Promise<Finished> =>
  run(process.execPath, [...nodeFlags, launcher, ...args], { cwd: root, ...options })

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const { createServer } = await import('node:net')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
