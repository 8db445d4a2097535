import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { openProcess } from '../../../src/peer/open-process.ts'
import { executableOf } from '../../../src/peer/process-facts.ts'
import { until } from '../../fakes/until.ts'
import { run } from './processes.ts'
import { describeUnless, notLinux, notRoot, notWorking, testUnless } from '../../unless.ts'

const cannotSwitchUser =
  notRoot ?? notWorking('setpriv', '--reuid=1234', '--regid=4321', '--groups=4321,27,100', 'true')

/** A number that the kernel gives to nobody. */
const UNUSED_PID = 2 ** 30

describeUnless(notLinux, 'openProcess()', () => {
  test('BA-07 tells a process of this node from what the kernel says about it', () => {
    using opened = openProcess(process.pid)
    expect(opened).toMatchObject({ pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() })
    expect(opened?.executable).toEqual(executableOf(process.pid))
    expect(opened?.isAlive()).toBe(true)
    expect(opened?.exited.aborted).toBe(false)
  })

  testUnless(cannotSwitchUser, 'tells user, group and supplementary groups of another user', async () => {
    const child = spawn('setpriv', ['--reuid=1234', '--regid=4321', '--groups=4321,27,100', 'cat'])
    child.stdin.write('.')
    await new Promise((resolve) => child.stdout.once('data', resolve))
    using opened = openProcess(child.pid!)
    expect(opened).toMatchObject({ uid: 1234, gid: 4321 })
    expect(opened?.supplementaryGids.toSorted((a, b) => a - b)).toEqual([27, 100, 4321])
    child.kill('SIGKILL')
  })

  testUnless(cannotSwitchUser, 'SE-04 a process in more groups than any of good will is refused', async () => {
    const groups = Array.from({ length: 1025 }, (_unused, index) => 10_000 + index)
    const child = spawn('setpriv', ['--reuid=1234', '--regid=4321', `--groups=${groups.join()}`, 'cat'])
    onTestFinished(() => void child.kill('SIGKILL'))
    child.stdin.write('.')
    await new Promise((resolve) => child.stdout.once('data', resolve))
    expect(() => openProcess(child.pid!)).toThrowCode('PROCESS_REFUSED', 'more than 1024 groups')
  })

  test.for([UNUSED_PID, 0, -1])('BA-07 there is no process %i', (pid) => {
    expect(openProcess(pid)).toBeUndefined()
  })

  test('BA-04 the number of a thread is not that of a process, although the system knows it', () => {
    const threads = readdirSync('/proc/self/task').map(Number)
    const thread = threads.find((id) => id !== process.pid)!
    expect(existsSync(`/proc/${thread}/status`)).toBe(true)
    expect(openProcess(thread)).toBeUndefined()
  })

  test('BA-07 a process that has ended and waits for its parent to notice is none', async () => {
    const script = 'cat <&3 >/dev/null & echo $!; exec 3<&-; exec sleep 60'
    const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] })
    onTestFinished(() => void parent.kill('SIGKILL'))
    const [printed] = (await once(parent.stdout!, 'data')) as [Buffer]
    const pid = Number(printed.toString())
    // The shell has become a program that notices nothing; only then may its child end.
    await until(() => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n', 'the other program')
    ;(parent.stdio[3] as Writable).end()
    await until(() => /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')), 'the end of the child')
    expect(openProcess(pid)).toBeUndefined()
  })

  test('BA-31 a process that exits is noticed', async () => {
    const child = run('setInterval(() => {}, 1000)')
    using opened = openProcess(child.pid!)
    const { exited } = opened!
    const over = new Promise((resolve) => exited.addEventListener('abort', resolve, { once: true }))
    child.kill('SIGKILL')
    await over
    expect(opened?.isAlive()).toBe(false)
    expect(exited.reason).toThrowCode('PROCESS_REFUSED', 'has exited')
    expect(openProcess(child.pid!)).toBeUndefined()
  })

  test('costs no descriptor once it is disposed, found or not', () => {
    const before = readdirSync('/proc/self/fd').length
    for (let count = 0; count < 50; count += 1) {
      using opened = openProcess(process.pid)
      void opened?.exited
      openProcess(UNUSED_PID)
    }
    expect(readdirSync('/proc/self/fd').length).toBe(before)
  })

  test('is not alive to anybody once it is disposed', () => {
    const opened = openProcess(process.pid)!
    const { exited } = opened
    opened[Symbol.dispose]()
    expect([opened.isAlive(), exited.aborted]).toEqual([false, true])
  })
})
