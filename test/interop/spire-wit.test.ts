import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { X509Source } from '../../src/workload/x509-source.ts'
import { House } from '../e2e/house.ts'
import { cleanEnvironment, run, RunningProcess } from '../e2e/processes.ts'
import { spireProgram, unbuilt } from './spire/build.ts'
import { describeUnless } from '../unless.ts'

const agentProgram = spireProgram('spire-agent')

// An agent of SPIRE that is older than WIT-SVIDs, with a server that has them turned on.
describeUnless(unbuilt, "SPIRE's agent beside WIT-SVIDs", () => {
  let house: House

  beforeAll(async () => {
    house = await House.withServer({ serverYaml: 'experimental: {witSvid: true}' })
  })
  afterAll(async () => house?.[Symbol.asyncDispose]())

  /** An agent that knows the server by a SPIFFE bundle, printed with these options. */
  async function agentWith(name: string, options: readonly string[]): Promise<RunningProcess> {
    const folder = house.path(name)
    mkdirSync(folder)
    const { stdout: bundle } = await house.cli('bundle', 'show', '--format', 'spiffe', ...options)
    writeFileSync(`${folder}/bundle.json`, bundle)
    writeFileSync(`${folder}/agent.conf`, configuration(house, folder))
    const id = `spiffe://example.org/node/${name}`
    const token = (await house.cli('token', 'create', '--spiffe-id', id, '--bare')).stdout.trim()
    const words = ['run', '-config', `${folder}/agent.conf`, '-joinToken', token]
    return new RunningProcess(agentProgram ?? '', words, { env: cleanEnvironment() })
  }

  test('WI-36 IO-28 reads the bundle as it is published, joins, serves and renews', { timeout: 240_000 }, async () => {
    await using _agent = await agentWith('plain', [])
    const socket = house.path('plain/api.sock')
    const selector = `unix:uid:${process.getuid?.() ?? 0}`
    const entry = ['--parent', 'spiffe://example.org/node/plain', '--selector', selector, '--x509-ttl', '20s']
    await house.json('entry', 'create', '--spiffe-id', 'spiffe://example.org/of-spire', ...entry)
    await expect
      .poll(async () => (await run(agentProgram ?? '', ['healthcheck', '-socketPath', socket])).code, {
        timeout: 60_000,
      })
      .toBe(0)
    await using source = await X509Source.open({ endpoint: `unix:${socket}`, timeoutMs: 60_000 })
    const { svid: before } = source.current()
    expect(before.spiffeId.toString()).toBe('spiffe://example.org/of-spire')
    for await (const { svid } of source.watch()) if (svid !== undefined && svid !== before) break
  })

  test('WI-36 refuses the whole of a bundle with WIT keys, which have to be asked for', async () => {
    await using agent = await agentWith('refused', ['--wit'])
    await agent.printed(/unrecognized use \\?"wit-svid/, 60_000)
  })
})

const configuration = (house: House, folder: string): string => `
agent {
  data_dir = "${folder}"
  server_address = "127.0.0.1"
  server_port = "${house.port}"
  socket_path = "${folder}/api.sock"
  trust_bundle_path = "${folder}/bundle.json"
  trust_bundle_format = "spiffe"
  trust_domain = "${house.trustDomain}"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`
