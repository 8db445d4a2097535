import { join } from 'node:path'
import { cleanEnvironment, RunningProcess } from '../test/e2e/processes.ts'
import type { System } from './system.ts'

/** A process of `service-process.ts` that has begun to listen. */
export class EnforcedProcess implements AsyncDisposable {
  readonly port: number
  readonly #process: RunningProcess

  private constructor(port: number, running: RunningProcess) {
    this.port = port
    this.#process = running
  }

  /** The agent must know an entry of the service's identity, and a policy must be applied. */
  static async start(system: System, service: 'orders' | 'queue'): Promise<EnforcedProcess> {
    const profile = process.env['BENCH_PROFILE']
    const flags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
    const running = new RunningProcess(
      process.execPath,
      [...flags, join(import.meta.dirname, 'service-process.ts'), service],
      { env: cleanEnvironment({ SPIFFE_ENDPOINT_SOCKET: `unix://${system.agentSocket}` }) },
    )
    const [line] = await running.printed(/^\{.*\}$/m, 60_000)
    return new EnforcedProcess((JSON.parse(line) as { port: number }).port, running)
  }

  get pid(): number {
    if (this.#process.child.pid === undefined) throw new TypeError('It does not run')
    return this.#process.child.pid
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop('SIGTERM')
    if (this.#process.stderr !== '') console.error(this.#process.stderr.slice(0, 2000))
  }
}
