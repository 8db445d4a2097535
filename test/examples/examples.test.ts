import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildSdk } from '../../build/sdk.ts'
import { cleanEnvironment, root, run, type RunningProcess, sallyport } from '../e2e/processes.ts'

// Every example, as its README says, against one real system.

const folder = join(root, 'examples')
const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'client.ts')))
const hello = 'client: hello spiffe://dev.test/examples/client'
const moreLines: Readonly<Record<string, readonly string[]>> = {
  http2: [hello],
  'jwt-bearer': ['client: without a token: 401'],
}

let system: RunningProcess
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  // What `npm run example` does first.
  await buildSdk()
  system = sallyport(['dev'])
  await system.printed(/Ctrl-C ends it/, 50_000)
  const exported = [...system.stdout.matchAll(/^ {2}export (\w+)=(.+)$/gm)].map(([, name, value]) => [name, value])
  env = cleanEnvironment(Object.fromEntries(exported) as NodeJS.ProcessEnv)
})

afterAll(async () => {
  await (system as RunningProcess | undefined)?.stop()
})

const runExample = (args: readonly string[], environment: NodeJS.ProcessEnv = env) =>
  run(process.execPath, [join(folder, 'run.ts'), ...args], { cwd: root, env: environment })

describe('the examples', () => {
  test.for(names)('%s runs, and both sides know each other', { timeout: 60_000 }, async (name) => {
    const { code, stdout, stderr } = await runExample([name])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout.trim().split('\n')).toEqual(['server: ready', hello, ...(moreLines[name] ?? [])])
  })

  test('leave no entry behind', async () => {
    const { stdout } = await run(process.execPath, [join(root, 'bin/sallyport.js'), 'entry', 'list'], {
      cwd: root,
      env,
    })
    expect(stdout).toContain('spiffe://dev.test/storefront')
    expect(stdout).not.toContain('examples')
  })

  test('are all in the table of their README, each with its command', () => {
    const table = readFileSync(join(folder, 'README.md'), 'utf8')
    expect([...table.matchAll(/^\| \[([\w-]+)\]/gm)].map(([, name]) => name)).toEqual(
      expect.arrayContaining(names) as string[],
    )
    for (const name of names) {
      expect(readFileSync(join(folder, name, 'README.md'), 'utf8')).toContain(`npm run example ${name}\n`)
    }
  })

  test('say what is missing', async () => {
    const without = await runExample(['http2'], cleanEnvironment())
    expect({ code: without.code, stderr: without.stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('npm start') as string,
    })
    const unknown = await runExample(['nonsense'])
    expect({ code: unknown.code, stderr: unknown.stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining('http-mtls') as string,
    })
  })
})
