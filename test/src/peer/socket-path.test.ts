import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync, statSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkSocketPath, prepareSocketPath } from '../../../src/peer/socket-path.ts'
import { implementations } from '../wire/sockets.ts'
import { serve } from '../../../src/wire/serve.ts'
import { temporaryFolder } from './processes.ts'

const problemOf = (path: string): Promise<unknown> => prepareSocketPath(path).catch((error: unknown) => error)

/** A socket file that nobody listens on, as a crash leaves it. */
function leaveSocket(path: string): void {
  const source = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`
  spawnSync(process.execPath, ['-e', source])
}

describe('prepareSocketPath()', () => {
  test('WE-27 a socket that a crash left over is removed', async () => {
    const path = join(temporaryFolder(), 's')
    leaveSocket(path)
    expect(statSync(path).isSocket()).toBe(true)
    await prepareSocketPath(path)
    expect(existsSync(path)).toBe(false)
  })

  test('WE-27 a socket that answers, a file, a folder and a link stay and are refused', async () => {
    const folder = temporaryFolder()
    const live = createServer()
    await new Promise<void>((resolve) => live.listen(join(folder, 'live'), resolve))
    onTestFinished(() => void live.close())
    expect(await problemOf(join(folder, 'live'))).toThrowCode('SOCKET_IN_USE', 'another process answers')
    writeFileSync(join(folder, 'file'), 'precious')
    mkdirSync(join(folder, 'folder'))
    leaveSocket(join(folder, 'left'))
    symlinkSync(join(folder, 'left'), join(folder, 'link'))
    for (const name of ['file', 'folder', 'link']) {
      expect(await problemOf(join(folder, name))).toThrowCode('SOCKET_PATH_UNSAFE', 'not a socket')
      expect(existsSync(join(folder, name))).toBe(true)
    }
  })

  test('a path that is too long, relative or nowhere is refused', async () => {
    const folder = temporaryFolder()
    expect(await problemOf(join(folder, 'x'.repeat(107)))).toThrowCode('SOCKET_PATH_UNSAFE', 'at most 107')
    expect(await problemOf('agent.sock')).toThrowCode('SOCKET_PATH_UNSAFE', 'not absolute')
    expect(await problemOf(join(folder, 'nowhere/s'))).toThrowCode('SOCKET_PATH_UNSAFE', 'there is no folder')
    const longest = `${folder}/${'x'.repeat(106 - folder.length)}`
    expect(Buffer.byteLength(longest)).toBe(107)
    expect(await problemOf(longest)).toBeUndefined()
  })

  test('SE-05 WE-27 a folder that others can write is refused, at any height; a sticky one is not', async () => {
    const top = temporaryFolder()
    const inner = join(top, 'a')
    mkdirSync(inner)
    chmodSync(top, 0o777)
    expect(await problemOf(join(inner, 's'))).toThrowCode('SOCKET_PATH_UNSAFE', `others may write to ${top}`)
    expect(() => checkSocketPath(join(inner, 's'))).toThrowCode('SOCKET_PATH_UNSAFE', 'others may write')
    chmodSync(top, 0o1777)
    expect(await problemOf(join(inner, 's'))).toBeUndefined()
    chmodSync(inner, 0o775)
    expect(await problemOf(join(inner, 's'))).toThrowCode('SOCKET_PATH_UNSAFE', `others may write to ${inner}`)
  })
})

describe('a served socket', () => {
  test('SE-05 WE-27 has its permissions from the first moment, and goes with the server', async () => {
    for (const mode of [0o600, 0o666]) {
      const path = join(temporaryFolder(), 's')
      const server = serve({ implementations })
      const mask = process.umask()
      const listening = server.listenUnix(path, { mode })
      await listening
      expect(process.umask()).toBe(mask)
      expect(statSync(path).mode & 0o777).toBe(mode)
      await server.drain(0)
      expect(existsSync(path)).toBe(false)
    }
  })

  test('WE-27 replaces what a crash left over, and refuses a live one', async () => {
    const path = join(temporaryFolder(), 's')
    leaveSocket(path)
    const server = serve({ implementations })
    await server.listenUnix(path, { mode: 0o600 })
    onTestFinished(() => server.drain(0))
    const second = serve({ implementations }).listenUnix(path, { mode: 0o600 })
    expect(await second.catch((error: unknown) => error)).toThrowCode('SOCKET_IN_USE')
  })
})
