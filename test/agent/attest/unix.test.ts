import { createHash } from 'node:crypto'
import { chmodSync, copyFileSync, readFileSync, rmSync, utimesSync, writeFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { describe, expect, onTestFinished, test } from 'vitest'
import { attest } from '../../../agent/attest/attest.ts'
import { ExecutableHash } from '../../../agent/attest/executable-hash.ts'
import { checkSameExecutable } from '../../../agent/attest/same-executable.ts'
import { parseNames, systemNames, type SystemNames } from '../../../agent/attest/system-names.ts'
import { unix } from '../../../agent/attest/unix.ts'
import type { WorkloadAttestor } from '../../../agent/attest/workload-attestor.ts'
import { systemClock, type Clock } from '../../../src/clock.ts'
import { printSelector } from '../../../src/entry/selector.ts'
import { SallyportError } from '../../../src/errors.ts'
import type { Peer } from '../../../src/peer/peer.ts'
import { executableOf } from '../../../src/peer/process-facts.ts'
import { connecting, listening, run, temporaryFolder } from '../../src/peer/processes.ts'
import { describeUnless, notLinux, notRoot, notWorking, testRowsUnless } from '../../unless.ts'

const never = new AbortController().signal
const names: SystemNames = {
  user: async (uid) => (uid === 1000 ? 'alice' : undefined),
  group: async (gid) => ({ 1000: 'alice', 27: 'sudo' })[gid],
}

/** This process, as a peer of whatever ids. */
const self = (facts: Partial<Peer> = {}): Peer => ({
  pid: process.pid,
  uid: 1000,
  gid: 1000,
  supplementaryGids: [],
  executable: executableOf(process.pid),
  isAlive: () => true,
  exited: never,
  ...facts,
})

const valuesOf = (attestor: WorkloadAttestor, peer: Peer): Promise<readonly string[]> => attestor.attest(peer, never)
const problemOf = (action: Promise<unknown>): Promise<unknown> =>
  action.then(
    () => undefined,
    (error: unknown) => error,
  )

describeUnless(notLinux, 'unix', () => {
  test('finds ids and names; ids without a name stay ids', async () => {
    const peer = self({ supplementaryGids: [27, 999_999] })
    expect(await valuesOf(unix({ names }), peer)).toEqual([
      'uid:1000',
      'gid:1000',
      'supplementary_gid:27',
      'supplementary_gid:999999',
      'user:alice',
      'group:alice',
      'supplementary_group:sudo',
    ])
  })

  test('finds path and hash when asked to', async () => {
    const values = await valuesOf(unix({ names, discoverWorkloadPath: true }), self())
    const hash = createHash('sha256').update(readFileSync(process.execPath)).digest('hex')
    expect(values).toContain(`sha256:${hash}`)
    expect(values.find((value) => value.startsWith('path:/'))).toMatch(/node$/)
    const pathOnly = await valuesOf(unix({ names, discoverWorkloadPath: true, workloadSizeLimitBytes: 0 }), self())
    expect(pathOnly.filter((value) => /^(path|sha256):/.test(value))).toHaveLength(1)
  })

  test('a program over the limit is refused by name', async () => {
    const attestor = unix({ names, discoverWorkloadPath: true, workloadSizeLimitBytes: 1000 })
    expect(await problemOf(valuesOf(attestor, self()))).toThrowCode('PROCESS_REFUSED', 'the limit is 1000')
  })

  test('SE-02 a program that was deleted or replaced is refused by name', async () => {
    const { program } = await sleeping()
    rmSync(program.path)
    const peer = self({ pid: program.pid, executable: executableOf(program.pid) })
    expect(await problemOf(valuesOf(unix({ names, discoverWorkloadPath: true }), peer))).toThrowCode(
      'PROCESS_REFUSED',
      'deleted or replaced',
    )
  })

  test('SE-02 a hidden /proc is refused by name', async () => {
    const gone = self({ pid: 2 ** 22 + 1 })
    expect(await problemOf(valuesOf(unix({ names }), gone))).toThrowCode('PROCESS_REFUSED', 'its /proc is hidden')
  })

  const cannotUnshare = notRoot ?? notWorking('unshare', '-m', 'true') ?? notWorking('unshare', '-Ur', 'true')
  testRowsUnless(
    cannotUnshare,
    [
      ['a mount namespace', ['unshare', '-m'], 'mount namespace of its own', 'mount'],
      ['a user namespace', ['unshare', '-Ur'], 'user namespace of its own', 'all'],
    ] as const,
    'SE-02 a process in %s of its own gets nothing, and ids alone where that is allowed',
    async ([, before, why, setting]) => {
      const { path, next } = await listening()
      run(connecting(path), before)
      const { peer } = await next()
      const options = { names, discoverWorkloadPath: true }
      expect(await problemOf(valuesOf(unix(options), peer))).toThrowCode('PROCESS_REFUSED', why)
      const allowed = await valuesOf(unix({ ...options, foreignNamespaces: setting }), peer)
      expect(allowed).toEqual([
        `uid:${peer.uid}`,
        `gid:${peer.gid}`,
        ...peer.supplementaryGids.map((id) => `supplementary_gid:${id}`),
      ])
      if (setting === 'all') {
        expect(await problemOf(valuesOf(unix({ ...options, foreignNamespaces: 'mount' }), peer))).toThrowCode(
          'PROCESS_REFUSED',
          why,
        )
      }
    },
  )
})

describeUnless(notLinux, 'checkSameExecutable()', () => {
  test('SE-01 connect, fork, exec: the pid that was registered runs something else, and gets nothing', async () => {
    const { path, next } = await listening()
    const swap = `const { spawn } = require('node:child_process');
      spawn('sleep', ['5'], { stdio: ['ignore', 'ignore', 'ignore', socket._handle.fd] }).unref();
      setTimeout(() => process.execve('/bin/sleep', ['sleep', '5']), 300)`
    run(connecting(path, swap))
    const { peer, socket } = await next()
    checkSameExecutable(peer)
    expect(await attest(peer, [unix({ names })], never)).not.toEqual([])
    await until(() => executableOf(peer.pid)?.inode !== peer.executable?.inode)
    expect(peer.isAlive()).toBe(true)
    expect(() => checkSameExecutable(peer)).toThrowCode('WORKLOAD_CHANGED', 'runs another program')
    expect(await problemOf(attest(peer, [unix({ names })], never))).toThrowCode('WORKLOAD_CHANGED')
    socket.destroy()
  })

  test('a peer that exited gets nothing', () => {
    expect(() => checkSameExecutable(self({ isAlive: () => false }))).toThrowCode('WORKLOAD_CHANGED', 'has exited')
  })

  test('what was hidden from us and is not any more has changed', () => {
    expect(() => checkSameExecutable(self({ executable: undefined }))).toThrowCode(
      'WORKLOAD_CHANGED',
      'another program',
    )
  })
})

describe('attest()', () => {
  const finds = (type: string, ...values: string[]): WorkloadAttestor => ({ type, attest: async () => values })
  const fails = (type: string, error: Error): WorkloadAttestor => ({ type, attest: () => Promise.reject(error) })

  test('joins what all attestors found, and leaves out those that failed', async () => {
    const selectors = await attest(
      self(),
      [finds('a', 'x', 'x', 'y'), fails('b', new Error('down')), finds('c')],
      never,
    )
    expect(selectors.map(printSelector)).toEqual(['a:x', 'a:y'])
  })

  test('fails as UNAVAILABLE when all fail, or there are none, and as refused when one refuses', async () => {
    const failed = (await problemOf(attest(self(), [fails('b', new Error('down'))], never))) as SallyportError
    expect(failed).toThrowCode('WORKLOAD_ATTESTATION_FAILED', 'attestors: b')
    expect(failed.row.grpc).toBe('UNAVAILABLE')
    expect(await problemOf(attest(self(), [], never))).toThrowCode('WORKLOAD_ATTESTATION_FAILED', 'none is enabled')
    const refusal = new SallyportError('PROCESS_REFUSED', 'foreign')
    expect(await problemOf(attest(self(), [fails('a', new Error('down')), fails('b', refusal)], never))).toThrowCode(
      'PROCESS_REFUSED',
    )
  })

  test('WE-16 a peer that exits meanwhile is refused', async () => {
    expect(await problemOf(attest(self({ isAlive: () => false }), [finds('a', 'x')], never))).toThrowCode(
      'WORKLOAD_CHANGED',
    )
  })

  test('stops when told to', async () => {
    const stop = new AbortController()
    stop.abort(new SallyportError('CALL_CANCELLED', 'gone'))
    expect(await problemOf(attest(self(), [finds('a', 'x')], stop.signal))).toThrowCode('CALL_CANCELLED')
  })
})

describeUnless(notLinux, 'hashes', () => {
  test('SE-04 a changed program has another hash, even when its mtime is forged', async () => {
    const hashes = new ExecutableHash({ clock: systemClock, sizeLimitBytes: 1e9 })
    const { program, folder } = await sleeping()
    const first = await hashes.of(peerOf(program.pid), never)
    const { atime, mtime } = statSync(program.path)
    const bytes = readFileSync(program.path)
    bytes[bytes.length - 1]! ^= 1
    const copy = join(folder, 'copy')
    writeFileSync(copy, bytes, { mode: 0o755 })
    program.kill()
    await until(() => executableOf(program.pid) === undefined)
    // The same inode, size and mtime; only the ctime tells. The kernel lets go of a program a moment after its process is gone.
    await until(() => isWritten(program.path, bytes))
    utimesSync(program.path, atime, mtime)
    const again = await start(program.path)
    expect(await hashes.of(peerOf(again.pid), never)).not.toBe(first)
  })

  test('SE-04 one user can make the agent hash so much, and others are not concerned', async () => {
    const clock: Clock = { ...systemClock, monotonicMs: () => 0 }
    const { size } = statSync(process.execPath)
    const hashes = new ExecutableHash({ clock, sizeLimitBytes: 1e9, burstBytes: size + 1, bytesPerSecond: 1 })
    await hashes.of(self(), never)
    expect(await hashes.of(self(), never)).toMatch(/^[0-9a-f]{64}$/)
    const { program } = await sleeping()
    expect(await problemOf(hashes.of({ ...peerOf(program.pid), uid: 1000 }, never))).toThrowCode(
      'WORKLOAD_ATTESTATION_FAILED',
      'too many',
    )
    expect(await hashes.of({ ...peerOf(program.pid), uid: 2000 }, never)).toMatch(/^[0-9a-f]{64}$/)
  })

  test('one that was given up is done again for those who still wait', async () => {
    const hashes = new ExecutableHash({ clock: systemClock, sizeLimitBytes: 1e9 })
    const stop = new AbortController()
    const first = problemOf(hashes.of(self(), stop.signal))
    const second = hashes.of(self(), never)
    stop.abort(new SallyportError('CALL_CANCELLED', 'gone'))
    expect(await first).toThrowCode('CALL_CANCELLED')
    expect(await second).toMatch(/^[0-9a-f]{64}$/)
  })
})

describe('names', () => {
  test('are read from lines, the first of an id counts, and odd lines are nothing', () => {
    const text =
      'root:x:0:0:root:/root:/bin/sh\n\n#x:x:1:\n:x:2:\nbad\nalias:x:0:0::/:\nweb:x:1000:1000::/:\nn:x:-1:\nm:x:1e3:'
    expect([...parseNames(text)]).toEqual([
      [0, 'root'],
      [1000, 'web'],
    ])
  })

  test('follow the file, and ids that are nowhere have none', async () => {
    const folder = temporaryFolder()
    const [users, groups] = [join(folder, 'passwd'), join(folder, 'group')]
    let nowMs = 0
    const clock: Clock = { ...systemClock, monotonicMs: () => nowMs }
    writeFileSync(users, 'one:x:4000000001:0::/:\n')
    const source = systemNames(clock, { users, groups })
    expect(await source.user(4_000_000_001, never)).toBe('one')
    expect(await source.group(4_000_000_001, never)).toBeUndefined()
    writeFileSync(users, 'uno:x:4000000001:0::/:\n')
    nowMs = 2000
    expect(await source.user(4_000_000_001, never)).toBe('uno')
  })
})

interface Program {
  readonly pid: number
  readonly path: string
  kill(): void
}

/** A copy of `sleep`, running. */
async function sleeping(): Promise<{ readonly program: Program; readonly folder: string }> {
  const folder = temporaryFolder()
  const path = join(folder, 'program')
  copyFileSync('/bin/sleep', path)
  chmodSync(path, 0o755)
  return { program: await start(path), folder }
}

async function start(path: string): Promise<Program> {
  const child = spawn(path, ['30'])
  onTestFinished(() => void child.kill('SIGKILL'))
  const inode = statSync(path, { bigint: true }).ino
  await until(() => executableOf(child.pid!)?.inode === inode)
  return { pid: child.pid!, path, kill: () => void child.kill('SIGKILL') }
}

const peerOf = (pid: number): Peer => self({ pid, executable: executableOf(pid) })

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

function isWritten(path: string, bytes: Uint8Array): boolean {
  try {
    writeFileSync(path, bytes)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ETXTBSY') return false
    throw error
  }
}
