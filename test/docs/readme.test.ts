import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nouns } from '../../cli/nouns.ts'
import { cleanEnvironment, freePort, launcher, root, run, runSallyport } from '../e2e/processes.ts'

// What the pages say can be done: it is done here, or at least exists.

const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** The shell commands below a heading. */
function commandsBelow(heading: string): string {
  const [, section = ''] = readme.split(`## ${heading}\n`)
  const block = /```sh\n([\s\S]*?)```/.exec(section)?.[1]
  if (block === undefined) throw new Error(`no commands below "${heading}"`)
  return block
}

describe('the README', () => {
  test('the five-minute set-up works as it is written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-readme-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    mkdirSync(join(folder, 'bin'))
    mkdirSync(join(folder, 'agent'), { mode: 0o700 })
    const shim = join(folder, 'bin/sallyport')
    writeFileSync(shim, `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`)
    chmodSync(shim, 0o755)
    const address = `127.0.0.1:${await freePort()}`
    const sockets = { api: join(folder, 'agent/api.sock'), admin: join(folder, 'agent/admin.sock') }
    // Pasted whole, as people do; nothing is added but places that other runs do not share.
    const script = commandsBelow('Five minutes to a real set-up')
      .replace('--dir ./server ', `--dir ./server --listen ${address} --advertise ${address} `)
      .replace(
        /^(sallyport agent run .*)&$/m,
        `$1 --data-dir agent/data --runtime-dir agent/run --socket ${sockets.api} --admin-socket ${sockets.admin} &`,
      )
    expect(script).toContain(address)
    expect(script).toContain(sockets.api)
    const env = cleanEnvironment({
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      SPIFFE_ENDPOINT_SOCKET: `unix:${sockets.api}`,
      SALLYPORT_AGENT_ADMIN_SOCKET: sockets.admin,
    })
    const whole = `set -euo pipefail\ntrap 'kill $(jobs -p); wait' EXIT\n${script}`
    const { code, stdout, stderr } = await run('bash', ['-c', whole], { cwd: folder, env, timeoutMs: 50_000 })
    expect(stderr.split('\n').filter((line) => line.startsWith('error'))).toEqual([])
    expect(code).toBe(0)
    expect(stdout).toContain('svid.pem: OK')
    expect(stdout).toContain('spiffe://example.org/ns/web/sa/storefront')
    expect(statSync(join(folder, 'svid/key.pem')).mode & 0o777).toBe(0o600)
  }, 60_000)

  test('`dev --once` ends by itself after the call, and leaves nothing behind', async () => {
    expect(commandsBelow('Try it')).toContain('npm start')
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-dev-test-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const env = cleanEnvironment({ TMPDIR: folder })
    const { code, stdout, stderr } = await runSallyport(['dev', '--once'], { env, timeoutMs: 50_000 })
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(stdout).toMatch(/issued/i)
    expect(readdirSync(folder)).toEqual([])
  }, 60_000)
})

const commands = new Map<string, Command>(
  await Promise.all(
    Object.entries(nouns).map(async ([name, { load }]): Promise<[string, Command]> => [name, await load()]),
  ),
)
const ofEvery = new Set([
  '--output',
  '--server-socket',
  '--server-address',
  '--as',
  '--agent-socket',
  '--agent-admin-socket',
  '--version',
  '--help',
])

/** Every command in a page: in code, after `sallyport`, or in a code span that starts like one. */
function* commandsIn(text: string): Generator<string> {
  for (const [, span = ''] of text.matchAll(/`([^`\n]+)`/g)) {
    const [first = '', second = ''] = span.split(' ')
    if (commands.get(first)?.commands.length && /^[a-z-]+$/.test(second)) yield span
  }
  const joined = text.replaceAll('\\\n', ' ')
  for (const [, words = ''] of joined.matchAll(/\bsallyport ([a-z-][^`\n|>&#;)(]*)/g)) {
    // Prose that starts with the name is no command.
    if (words.startsWith('-') || commands.has(words.split(' ')[0]!)) yield words
  }
}

/** The command that the words lead to, through those that have commands of their own. */
function leafOf(command: Command, [word, ...rest]: readonly string[]): Command {
  const next = command.commands.find((one) => one.name() === word)
  return next === undefined ? command : leafOf(next, rest)
}

/** What is wrong with a command, or undefined. */
function problemOf(words: string): string | undefined {
  const [name = '', ...rest] = words.trim().split(/\s+/)
  if (name.startsWith('-')) return ofEvery.has(name) ? undefined : `no option ${name}`
  const noun = commands.get(name)
  if (noun === undefined) return `no command ${name}`
  const [verb = ''] = rest
  const found = leafOf(noun, rest)
  const command = found.commands.length === 0 ? found : undefined
  if (command === undefined) return /^[a-z-]+$/.test(verb) && !verb.startsWith('-') ? `no ${name} ${verb}` : undefined
  const known = new Set([...ofEvery, ...command.options.flatMap(({ long, short }) => [long, short])])
  const unknown = rest.filter((word) => /^-{1,2}[a-z]/.test(word)).find((word) => !known.has(word.split('=')[0]!))
  return unknown === undefined ? undefined : `no option ${unknown}`
}

const pages = [
  ...['README.md', 'SECURITY.md', 'CONTRIBUTING.md'],
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

test('the check of pages sees commands, and what is wrong with them', () => {
  const all = pages.flatMap((page) => [...commandsIn(readFileSync(join(root, page), 'utf8'))])
  expect(all.length).toBeGreaterThan(30)
  expect(problemOf('entry forget')).toBe('no entry forget')
  expect(problemOf('entry create --colour red')).toBe('no option --colour')
  expect(problemOf('fetch x509 --write ./svid')).toBeUndefined()
})

describe.for(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8')

  test('names only commands and options that exist', () => {
    const problems = [...commandsIn(text)].flatMap((words) => {
      const problem = problemOf(words)
      return problem === undefined ? [] : [`${words.trim()}: ${problem}`]
    })
    expect(problems).toEqual([])
  })

  test('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object }
    const named = [...text.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name ?? '')
    expect(named.filter((name) => !Object.hasOwn(scripts, name))).toEqual([])
  })

  test('links only to files that exist', () => {
    const links = [...text.matchAll(/\]\(([^)#:]+)(#[^)]*)?\)/g)].map(([, path]) => path ?? '')
    expect(links.filter((path) => !existsSync(resolve(root, dirname(page), path)))).toEqual([])
  })
})
