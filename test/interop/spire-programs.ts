import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import type { X509Source } from '../../src/workload/x509-source.ts'
import type { House } from '../e2e/house.ts'
import { cleanEnvironment, run, RunningProcess } from '../e2e/processes.ts'
import { spireProgram } from './spire/build.ts'

export const [agentProgram, serverProgram] = [spireProgram('spire-agent'), spireProgram('spire-server')]

/** Waits until what listens at this socket is well, as SPIRE's command line for it has it. */
export const isHealthy = (program: string, socket: string): Promise<void> =>
  expect
    .poll(async () => (await run(program, ['healthcheck', '-socketPath', socket])).code, { timeout: 60_000 })
    .toBe(0)

/** Waits until a source holds another SVID than this one. */
export async function renewed(source: X509Source, before: X509Svid): Promise<void> {
  for await (const { svid } of source.watch()) if (svid !== undefined && svid !== before) return
}

export interface TrustedBundle {
  readonly format: 'pem' | 'spiffe'
  readonly text: string
}

/** An agent of SPIRE in a folder of a house, whose server it knows by a bundle. */
export class SpireAgent {
  readonly nodeId: string
  readonly socket: string
  readonly #folder: string

  constructor(house: House, name: string, { format, text }: TrustedBundle) {
    this.nodeId = `spiffe://${house.trustDomain}/node/${name}`
    this.#folder = house.path(name)
    this.socket = join(this.#folder, 'api.sock')
    mkdirSync(this.#folder)
    writeFileSync(join(this.#folder, 'bundle'), text)
    writeFileSync(
      join(this.#folder, 'agent.conf'),
      `
agent {
  data_dir = "${this.#folder}"
  log_level = "INFO"
  server_address = "127.0.0.1"
  server_port = "${house.port}"
  socket_path = "${this.socket}"
  trust_bundle_path = "${this.#folder}/bundle"
  trust_bundle_format = "${format}"
  trust_domain = "${house.trustDomain}"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${this.#folder}" } }
  WorkloadAttestor "unix" { plugin_data {} }
}
`,
    )
  }

  /** As it starts where it has joined already. */
  start(...more: readonly string[]): RunningProcess {
    const words = ['run', '-config', join(this.#folder, 'agent.conf'), ...more]
    return new RunningProcess(agentProgram, words, { env: cleanEnvironment() })
  }

  async join(house: House): Promise<RunningProcess> {
    const { stdout: token } = await house.cli('token', 'create', '--spiffe-id', this.nodeId, '--bare')
    return this.start('-joinToken', token.trim())
  }
}
