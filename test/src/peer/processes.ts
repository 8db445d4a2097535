import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, chmodSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Peer } from '../../../src/peer/peer.ts'
import { readPeer } from '../../../src/peer/read-peer.ts'

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sp-'))
  // Processes of other users connect to sockets in it.
  chmodSync(folder, 0o755)
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export interface Accepted {
  readonly socket: Socket
  readonly peer: Peer
}

/** A socket that anybody may connect to; `next` resolves with the next peer, or the error that reading it gave. */
export async function listening(): Promise<{ readonly path: string; next(): Promise<Accepted> }> {
  const path = join(temporaryFolder(), 's')
  const waiting: PromiseWithResolvers<Accepted>[] = []
  const made: Promise<Accepted>[] = []
  const server = createServer((socket) => {
    const { promise, resolve, reject } = waiting.shift() ?? newMade(made)
    void promise.catch(() => undefined)
    socket.on('error', () => undefined)
    try {
      resolve({ socket, peer: readPeer(socket) })
    } catch (error) {
      reject(error as Error)
    }
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  chmodSync(path, 0o777)
  onTestFinished(() => void server.close())
  const next = (): Promise<Accepted> => {
    const there = made.shift()
    if (there !== undefined) return there
    const later = Promise.withResolvers<Accepted>()
    waiting.push(later)
    return later.promise
  }
  return { path, next }
}

function newMade(made: Promise<Accepted>[]): PromiseWithResolvers<Accepted> {
  const later = Promise.withResolvers<Accepted>()
  made.push(later.promise)
  return later
}

/** The source of a process that connects to a socket and does something then. */
export const connecting = (path: string, then = ''): string =>
  `const socket = require('node:net').connect(${JSON.stringify(path)}); socket.resume(); socket.on('connect', () => { ${then} })`

/** Starts a process that runs JavaScript; it ends with the test. */
export function run(source: string, before: readonly string[] = []): ChildProcess {
  const command = [...before, process.execPath, '-e', source]
  const program = command.shift() ?? process.execPath
  const child = spawn(program, command, { stdio: ['ignore', 'ignore', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}
