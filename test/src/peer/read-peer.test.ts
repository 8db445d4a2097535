import { spawnSync } from 'node:child_process'
import { connect, Socket } from 'node:net'
import { expect, test } from 'vitest'
import { readPeer } from '../../../src/peer/read-peer.ts'
import { executableOf } from '../../../src/peer/process-facts.ts'
import { startTimeOf } from '../../../src/process-start.ts'
import { connecting, listening, run } from './processes.ts'
import { describeUnless, notLinux, notRoot, notWorking, testUnless } from '../../unless.ts'

const cannotSwitchUser =
  notRoot ?? notWorking('setpriv', '--reuid=1234', '--regid=4321', '--groups=4321,27,100', 'true')

describeUnless(notLinux, 'readPeer()', () => {
  test('WE-14 NT-16 SE-03 tells who is at the socket from the kernel, not from what is sent', async () => {
    const { path, next } = await listening()
    const child = run(connecting(path))
    const { peer } = await next()
    expect(peer.pid).toBe(child.pid)
    expect(peer.uid).toBe(process.getuid!())
    expect(peer.gid).toBe(process.getgid!())
    expect(peer.executable).toEqual(executableOf(child.pid!))
    expect(peer.isAlive()).toBe(true)
    expect(peer.exited.aborted).toBe(false)
  })

  testUnless(cannotSwitchUser, 'tells user, group and supplementary groups of another user', async () => {
    const { path, next } = await listening()
    run(connecting(path), ['setpriv', '--reuid=1234', '--regid=4321', '--groups=4321,27,100'])
    const { peer } = await next()
    expect([peer.uid, peer.gid]).toEqual([1234, 4321])
    expect([...peer.supplementaryGids].toSorted((a, b) => a - b)).toEqual([27, 100, 4321])
  })

  test('WE-16 SE-03 a process that exits is noticed, even when its child still holds the socket', async () => {
    const { path, next } = await listening()
    const holder = `const { spawn } = require('node:child_process');
      spawn('sleep', ['5'], { detached: true, stdio: ['ignore', 'ignore', 'ignore', socket._handle.fd] }).unref();
      setTimeout(() => process.exit(), 300)`
    run(connecting(path, holder))
    const { peer, socket } = await next()
    expect(peer.isAlive()).toBe(true)
    await new Promise((resolve) => peer.exited.addEventListener('abort', resolve, { once: true }))
    expect(socket.destroyed).toBe(false)
    expect(peer.isAlive()).toBe(false)
    expect(peer.exited.reason).toThrowCode('PROCESS_REFUSED', 'has exited')
    socket.destroy()
  })

  test('WE-16 a process that was gone before it was accepted is refused, whoever has its number now', async () => {
    const { path, next } = await listening()
    // Runs to its end, and is reaped, while this process accepts nothing.
    spawnSync(process.execPath, ['-e', connecting(path, 'process.exit()')])
    expect(await next().catch((error: unknown) => error)).toThrowCode('PROCESS_REFUSED')
  })

  test('a closed socket ends the peer', async () => {
    const { path, next } = await listening()
    const client = connect(path)
    const { peer, socket } = await next()
    const { exited } = peer
    socket.destroy()
    await new Promise((resolve) => socket.once('close', resolve))
    expect(peer.isAlive()).toBe(false)
    expect(exited.aborted).toBe(true)
    client.destroy()
  })

  test('a socket without a descriptor is refused', () => {
    expect(() => readPeer(new Socket())).toThrowCode('PROCESS_REFUSED', 'closed')
  })

  test('many peers cost no descriptors once they are gone', async () => {
    const { readdirSync } = await import('node:fs')
    const { path, next } = await listening()
    const before = readdirSync('/proc/self/fd').length
    for (let count = 0; count < 200; count += 1) {
      const client = connect(path)
      const { peer, socket } = await next()
      void peer.exited
      socket.destroy()
      client.destroy()
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 10)
  })
})

testUnless(notLinux, 'a process is named by its start time, whatever its command is called', () => {
  expect(startTimeOf(process.pid)).toMatch(/^\d+$/)
  expect(startTimeOf(2 ** 22 + 1)).toBeUndefined()
})
