import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { root } from '../e2e/processes.ts'
import { PackedPackage, Project } from './packed.ts'
import { smokeLines } from './smoke-lines.ts'
import { installed, type Runtime, runtimes } from './runtimes.ts'

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
const absent = runtimes.filter((runtime) => !present.includes(runtime))

describe('the packaged SDK', () => {
  let packed: PackedPackage | undefined
  let project: Project | undefined

  beforeAll(async () => {
    if (present.length === 0) return
    packed = await PackedPackage.make()
    project = await Project.with(packed)
    cpSync(join(root, 'test/package/smoke.mjs'), project.path('smoke.mjs'))
  })

  afterAll(() => {
    project?.[Symbol.dispose]()
    packed?.[Symbol.dispose]()
  })

  test.for(present.map((runtime): readonly [string, Runtime] => [runtime.name, runtime]))(
    'works on %s',
    async ([name, runtime]) => {
      const mode = name.startsWith('Node') ? [] : ['protect']
      const printed = await project!.run(installed(runtime)!, [...runtime.args, 'smoke.mjs', ...mode])
      expect(printed.trim().split('\n')).toEqual(name === 'Bun' ? withoutServers : smokeLines)
    },
  )

  test.runIf(installed(runtimes[0]!) !== undefined)(
    'has a command line that says on Node 22 what it needs',
    async () => {
      const started = project!.run(installed(runtimes[0]!)!, ['node_modules/sallyport/bin/sallyport.js', '--version'])
      await expect(started).rejects.toThrow(/ended with 1:[^]*Sallyport needs Node 26 or newer; this is v22/)
    },
  )

  for (const { name } of absent) {
    test.skip(`works on ${name}: not installed here, \`npm run test:runtimes\` installs it`, () => undefined)
  }
})
