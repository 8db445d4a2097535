import { afterAll, beforeAll, expect, test } from 'vitest'
import { X509Source } from '../../src/workload/x509-source.ts'
import { House } from '../e2e/house.ts'
import { agentProgram, isHealthy, renewed, SpireAgent } from './spire-programs.ts'
import { unbuilt } from './spire/build.ts'
import { describeUnless } from '../unless.ts'

// An agent of SPIRE that is older than WIT-SVIDs, with a server that has them turned on.
describeUnless(unbuilt, "SPIRE's agent beside WIT-SVIDs", () => {
  let house: House

  beforeAll(async () => {
    house = await House.withServer({ serverYaml: 'experimental: {witSvid: true}' })
  })
  afterAll(async () => house?.[Symbol.asyncDispose]())

  const agentBy = async (name: string, ...options: readonly string[]): Promise<SpireAgent> => {
    const { stdout: text } = await house.cli('bundle', 'show', '--format', 'spiffe', ...options)
    return new SpireAgent(house, name, { format: 'spiffe', text })
  }

  test('WI-36 IO-28 reads the bundle as it is published, joins, serves and renews', { timeout: 240_000 }, async () => {
    const agent = await agentBy('plain')
    await using _running = await agent.join(house)
    const selector = `unix:uid:${process.getuid?.() ?? 0}`
    const entry = ['--parent', agent.nodeId, '--selector', selector, '--x509-ttl', '20s']
    await house.json('entry', 'create', '--spiffe-id', 'spiffe://example.org/of-spire', ...entry)
    await isHealthy(agentProgram, agent.socket)
    await using source = await X509Source.open({ endpoint: `unix:${agent.socket}`, timeoutMs: 60_000 })
    const { svid: before } = source.current()
    expect(before.spiffeId.toString()).toBe('spiffe://example.org/of-spire')
    await renewed(source, before)
  })

  test('WI-36 refuses the whole of a bundle with WIT keys, which have to be asked for', async () => {
    await using running = await (await agentBy('refused', '--wit')).join(house)
    await running.printed(/unrecognized use \\?"wit-svid/, 60_000)
  })
})
