import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { House } from '../e2e/house.ts'
import { root } from '../e2e/processes.ts'
import { PackedPackage, Project } from './packed.ts'
import { smokeLines } from './smoke-lines.ts'
import { installed, runtimes } from './runtimes.ts'
import { type Reason, testUnless } from '../unless.ts'

// The SDK on the runtimes that the registry carries. What they do, `docs/sdk.md` says.

/** Bun's servers ask nobody for a certificate: ours let nobody in there. Everything else works. */
const withoutServers = smokeLines.map((line) =>
  line.startsWith('https')
    ? 'https ECONNRESET'
    : line.startsWith('rotated')
      ? 'rotated spiffe://example.org/web'
      : line,
)

const present = runtimes.filter((runtime) => installed(runtime) !== undefined)

const notInstalled = (...names: readonly string[]): Reason =>
  present.some(({ name }) => names.includes(name)) ? undefined : '`npm run test:runtimes` installs it'

describe('the packaged SDK', () => {
  let packed: PackedPackage | undefined
  let project: Project | undefined

  beforeAll(async () => {
    if (present.length === 0) return
    packed = await PackedPackage.make()
    project = await Project.with(packed)
    for (const name of ['smoke.mjs', 'real-agent.mjs']) cpSync(join(root, 'test/package', name), project.path(name))
  })

  afterAll(() => {
    project?.[Symbol.dispose]()
    packed?.[Symbol.dispose]()
  })

  for (const runtime of runtimes) {
    const { name } = runtime
    testUnless(notInstalled(name), `works on ${name}`, async () => {
      const mode = name.startsWith('Node') ? [] : ['protect']
      const printed = await project!.run(installed(runtime)!, [...runtime.args, 'smoke.mjs', ...mode])
      expect(printed.trim().split('\n')).toEqual(name === 'Bun' ? withoutServers : smokeLines)
    })
  }

  testUnless(notInstalled('Node 22'), 'has a command line that says on Node 22 what it needs', async () => {
    const started = project!.run(installed(runtimes[0]!)!, ['node_modules/sallyport/bin/sallyport.js', '--version'])
    await expect(started).rejects.toThrow(/ended with 1:[^]*Sallyport needs Node 26 or newer; this is v22/)
  })

  const nodes = present.filter(({ name }) => name.startsWith('Node'))
  testUnless(
    notInstalled('Node 22', 'Node 24', 'Node 26'),
    'works with a real agent, over a renewal, on every Node that is there',
    async () => {
      await using house = await House.open()
      await house.register('/web', '--x509-ttl', '10s')
      const env = { SPIFFE_ENDPOINT_SOCKET: house.endpoint }
      const runs = nodes.map((node) => project!.run(installed(node)!, ['real-agent.mjs'], env))
      const id = 'spiffe://example.org/web'
      const talk = [`https hello ${id}`, `http2 hello ${id}`]
      for (const printed of await Promise.all(runs))
        expect(printed.trim().split('\n')).toEqual([`source ${id}`, ...talk, ...talk, `token ${id}`])
    },
    { timeout: 60_000 },
  )
})
