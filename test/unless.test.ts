import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { cleanEnvironment, root } from './e2e/processes.ts'

const here = import.meta.dirname

test('a run names what did not run on this machine, and why, although all is well', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-unless-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(
    join(folder, 'some.test.mjs'),
    `import { describeUnless, missing, testRowsUnless, testUnless } from ${JSON.stringify(join(here, 'unless.ts'))}
     const wrong = () => { throw new Error('has run') }
     testUnless(undefined, 'runs', () => undefined)
     testUnless('no sun', 'grows', wrong)
     testRowsUnless('no rain', ['grass', 'moss'], '%s is green', wrong)
     let tries = 0
     testUnless(undefined, 'passes late', () => { if (++tries < 3) wrong() }, { retry: 2 })
     describeUnless(missing('no-such-program'), 'a suite', () => testUnless(undefined, 'inside', wrong))`,
  )
  const reporters = [join(here, 'run-notes.ts'), 'default']
  writeFileSync(join(folder, 'vitest.config.mjs'), `export default { test: ${JSON.stringify({ reporters })} }`)
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const env = cleanEnvironment({ NO_COLOR: '1' })
  const { status, stdout } = spawnSync(process.execPath, [vitest, 'run', '--root', folder], { encoding: 'utf8', env })
  expect(stdout.split('\n').filter((line) => line.includes('(skipped: '))).toEqual([
    ' ↓ some.test.mjs > a suite (skipped: no-such-program not installed)',
    ' ↓ some.test.mjs > grass is green (skipped: no rain)',
    ' ↓ some.test.mjs > grows (skipped: no sun)',
    ' ↓ some.test.mjs > moss is green (skipped: no rain)',
  ])
  expect(stdout).toContain(' ↻ some.test.mjs > passes late (failed 2×, then passed)\n')
  expect([status, stdout]).toEqual([0, expect.stringMatching(/Tests +2 passed \| 4 skipped/)])
})

test('nothing is skipped without a reason', () => {
  const silent = /\b(test|it|describe)\b[.\w]*\.(skip|skipIf|runIf|todo)\b/
  const files = readdirSync(here, { recursive: true, encoding: 'utf8' }).filter((file) => /(?<!\.d)\.ts$/.test(file))
  expect(files.filter((file) => silent.test(readFileSync(join(here, file), 'utf8')))).toEqual(['unless.ts'])
})
