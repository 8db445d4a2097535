import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { checkSameExecutable } from '../../../agent/attest/same-executable.ts'
import { openProcess } from '../../../src/peer/open-process.ts'
import { describeUnless, notLinux } from '../../unless.ts'

describeUnless(notLinux, 'a process that a broker refers to', () => {
  test('BA-31 is not the one that was attested once it runs another program, although its number is the same', async () => {
    const child = spawn('sh', ['-c', 'echo ready; read line; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    await once(child.stdout, 'data')
    using opened = openProcess(child.pid!)
    expect(() => checkSameExecutable(opened!)).not.toThrow()
    child.stdin.write('go\n')
    // What the other program echoes says that it runs.
    const echoed = once(child.stdout, 'data')
    child.stdin.write('hello\n')
    await echoed
    expect(opened?.isAlive()).toBe(true)
    expect(() => checkSameExecutable(opened!)).toThrowCode('WORKLOAD_CHANGED', 'runs another program now')
  })
})
