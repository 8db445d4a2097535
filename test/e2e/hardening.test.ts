import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cleanEnvironment, freePort, launcher, run, RunningProcess, runSallyport, sallyport } from './processes.ts'
import { notRoot, testUnless } from '../unless.ts'

// What other processes of the same machine can do to a daemon. Root may do anything, so as root it is started as somebody else.

const isRoot = notRoot === undefined
const OTHER_UID = 65_534
const user = isRoot ? { uid: OTHER_UID, gid: OTHER_UID } : {}

let folder: string
let daemon: RunningProcess
let pid: number

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-e2e-'))
  const server = join(folder, 'server')
  mkdirSync(server, { mode: 0o700 })
  const listen = `127.0.0.1:${await freePort()}`
  await runSallyport(['server', 'init', '--trust-domain', 'example.org', '--dir', server, '--listen', listen])
  if (isRoot) for (const path of [folder, server, join(server, 'server.yaml')]) chownSync(path, OTHER_UID, OTHER_UID)
  const args = ['server', 'run', '--config', join(server, 'server.yaml')]
  // As a person starts it: the launcher becomes the daemon, with the flags and the environment that it must have.
  const env = cleanEnvironment({ NODE_OPTIONS: '--no-warnings', SALLYPORT_E2E: 'here' })
  daemon = new RunningProcess(process.execPath, [launcher, ...args], { cwd: folder, env, ...user })
  await daemon.printed(/"msg":"Server ready"/)
  pid = daemon.child.pid!
})

afterAll(async () => {
  await daemon?.stop('SIGTERM')
  rmSync(folder, { recursive: true, force: true })
})

test('SE-30 a daemon runs with its flags', () => {
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  expect(command).toContain('--disable-sigusr1')
})

// Whoever is not root cannot read the environment of such a process, whose user it may be.
testUnless(notRoot, 'SE-30 a daemon runs without variables that could run code in it', () => {
  const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
  expect(environment).toContain('SALLYPORT_E2E=here')
  expect(environment).not.toMatch(/(^|\0)(NODE_OPTIONS|LD_|SSLKEYLOGFILE|OPENSSL_CONF)/)
})

test('SE-30 a daemon leaves no core behind', () => {
  expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max core file size\s+0\s+0\s/)
})

test('SE-30 its memory and environment are closed to other processes of its own user', async () => {
  // The kernel gives the files of a process that must not be dumped to root.
  expect(statSync(`/proc/${pid}/mem`).uid).toBe(0)
  expect(statSync(`/proc/${pid}/environ`).uid).toBe(0)
  const look = `for (const name of ['mem', 'environ', 'maps']) try { require('fs').readFileSync('/proc/${pid}/' + name); console.log(name) } catch (error) { console.log(error.code) }`
  const { stdout } = await run(process.execPath, ['-e', look], { cwd: '/', ...user })
  expect(stdout.trim().split('\n')).toEqual(['EACCES', 'EACCES', 'EACCES'])
})

test('a daemon that is quiet gives back what only its start needed, and goes on', async () => {
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  // Of the most that it ever had: how much that is depends on whether it runs from sources.
  await expect.poll(() => kilobytes('VmRSS') / kilobytes('VmHWM'), { timeout: 50_000, interval: 250 }).toBeLessThan(0.7)
  const socket = join(folder, 'server/admin.sock')
  const { stdout } = await run(process.execPath, [launcher, '--server-socket', socket, 'health'], { cwd: '/', ...user })
  expect(stdout).toContain('serving')
})

test('SE-30 SIGUSR1 opens no inspector', async () => {
  process.kill(pid, 'SIGUSR1')
  await sleep(300)
  expect(daemon.stderr).not.toContain('Debugger listening')
  // Port 9229 (240D) of 127.0.0.1 is where one would listen (0A).
  expect(readFileSync('/proc/net/tcp', 'utf8')).not.toMatch(/ 0100007F:240D 00000000:0000 0A /)
})

test('SE-30 an agent is closed in the same way', async () => {
  const agentFolder = join(folder, 'agent')
  mkdirSync(agentFolder, { mode: 0o700 })
  const places = ['--data-dir', join(agentFolder, 'data'), '--runtime-dir', join(agentFolder, 'run')]
  const sockets = ['--socket', join(agentFolder, 'api.sock'), '--admin-socket', join(agentFolder, 'private/admin.sock')]
  const server = [
    '--server',
    '127.0.0.1:1',
    '--trust-domain',
    'example.org',
    '--trust-bundle',
    join(folder, 'none.pem'),
  ]
  await using agent = sallyport(['agent', 'run', ...server, ...places, ...sockets])
  await agent.printed(/"msg":"Agent ready"/)
  expect(readFileSync(`/proc/${agent.child.pid!}/limits`, 'utf8')).toMatch(/Max core file size\s+0\s+0\s/)
})
