import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanEnvironment, launcher, root, run, type RunningProcess, sallyport } from '../e2e/processes.ts'

// The ten minutes, line by line, against `sallyport dev`.

const page = readFileSync(join(root, 'docs/zones.md'), 'utf8')
const lines = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.trimEnd().split('\n'))
const folder = mkdtempSync(join(tmpdir(), 'sallyport-zones-'))

let system: RunningProcess
let env: NodeJS.ProcessEnv

beforeAll(async () => {
  mkdirSync(join(folder, 'bin'))
  writeFileSync(join(folder, 'bin/sallyport'), `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`)
  chmodSync(join(folder, 'bin/sallyport'), 0o755)
  system = sallyport(['dev'])
  await system.printed(/Ctrl-C ends it/, 60_000)
  const exported = [...system.stdout.matchAll(/^ {2}export (\w+)=(.+)$/gm)].map(([, name, value]) => [name, value])
  env = cleanEnvironment(Object.fromEntries(exported) as NodeJS.ProcessEnv)
  env['PATH'] = `${join(folder, 'bin')}:${env['PATH'] ?? ''}`
}, 70_000)

afterAll(async () => {
  await (system as RunningProcess | undefined)?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** What only some time after the line before it is so: a person looks again. */
const awaited = [
  [/^sallyport decisions list --would-deny/, /WOULD DENY access NO_RULE/],
  [/^sallyport decisions tail --denied-by lifecycle/, /DENY lifecycle QUARANTINED/],
  [/^sallyport suggest/, /storefront/],
] as const

async function type(line: string): Promise<{ readonly code: number | string; readonly output: string }> {
  const wanted = awaited.find(([pattern]) => pattern.test(line))?.[1]
  for (let tries = 0; ; tries += 1) {
    const { code, stdout, stderr } = await run('sh', ['-c', line], { cwd: folder, env })
    const output = stdout + stderr
    if (wanted === undefined || wanted.test(output) || tries === 30) return { code, output }
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

test('every line of the page ends as the page says, in its order', { timeout: 240_000 }, async () => {
  expect(lines.length).toBeGreaterThan(20)
  for (const line of lines) {
    const code = Number(/# ends with (\d)$/.exec(line)?.[1] ?? 0)
    expect({ line, ...(await type(line)) }).toMatchObject({ line, code })
  }
  // What the first terminal shows of it.
  expect(system.stdout).toMatch(/storefront → orders +refused at the connection\n +sallyport decisions show /)
  await system.printed(/storefront → orders +allowed/)
})
