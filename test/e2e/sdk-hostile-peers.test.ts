import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type Server, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exactly, memberOf } from '../../src/id/matcher.ts'
import { connectTls } from '../../src/tls/connect-tls.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { contextOptions } from '../../src/tls/tls-options.ts'
import { tlsClient } from '../../src/tls/tls-client.ts'
import { tlsServer } from '../../src/tls/tls-server.ts'
import { issueBad } from '../../src/testing/bad-svids.ts'
import type { TestSource } from '../fakes/test-source.ts'
import { Listeners, portOf, tlsParties, type TlsParties } from './tls-parties.ts'

// Whatever a peer does, it is refused, and the service goes on. An unhandled error would fail the run.

const members = memberOf('example.org')
const listeners = new Listeners()
afterEach(() => listeners[Symbol.dispose]())

let parties: TlsParties
let webSource: TestSource
const refused: string[] = []
beforeEach(async () => {
  parties = await tlsParties()
  webSource = parties.webSource
  refused.length = 0
})

const codeOf = (error: Error): string => (error as { code?: string }).code ?? error.message
const options = (): tls.TlsOptions => ({
  ...tlsServer(parties.dbSource, { allow: members, onRefused: (error) => refused.push(codeOf(error)) }),
  handshakeTimeout: 300,
})

const servers = {
  https: () => https.createServer(options(), (request, response) => response.end(peerOf(request).id.path)),
  http2: () => http2.createSecureServer(options(), (request, response) => response.end(peerOf(request).id.path)),
  tls: () => tls.createServer(options(), (socket) => socket.end(peerOf(socket).id.path)),
} as const

const dial = async (server: Server): Promise<Socket> => {
  const socket = net.connect(portOf(server), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

/** The first flight of a real client. */
async function clientHello(): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = tls.connect({ port: portOf(server), rejectUnauthorized: false }).on('error', () => {})
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return bytes
}

describe.for(['https', 'http2', 'tls'] as const)('a server of %s', (kind) => {
  const lives = async (server: Server): Promise<void> => {
    const { socket } = await connectTls(webSource, {
      to: { host: '127.0.0.1', port: portOf(server) },
      server: members,
      alpnProtocols: kind === 'tls' ? undefined : [kind === 'http2' ? 'h2' : 'http/1.1'],
    })
    if (kind === 'https') {
      socket.write('GET / HTTP/1.1\r\nHost: db\r\nConnection: close\r\n\r\n')
      expect(await text(socket)).toMatch(/\r\n\/web/)
    } else if (kind === 'http2') {
      const session = http2.connect('https://db', { createConnection: () => socket })
      expect(await text(session.request({ ':path': '/' }))).toBe('/web')
      session.destroy()
    } else expect(await text(socket)).toBe('/web')
  }

  test('lives through garbage, resets in every stage of a handshake, and silence', async () => {
    const server = await listeners.listen(servers[kind]())
    const hello = await clientHello()
    for (const bytes of [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(70_000, 0x16),
      hello.subarray(0, 40),
      hello,
    ]) {
      const socket = await dial(server)
      socket.write(bytes)
      await new Promise((resolve) => setImmediate(resolve))
      socket.resetAndDestroy()
    }
    const garbled = await dial(server)
    garbled.resume().write(Buffer.concat([hello.subarray(0, 60), Buffer.alloc(600, 0xff)]))
    if (!garbled.destroyed) await once(garbled, 'close')
    const silent = await dial(server)
    silent.resume()
    const startMs = performance.now()
    await once(silent, 'close')
    expect(performance.now() - startMs).toBeLessThan(3_000)
    await expect.poll(() => refused).toContain('ERR_TLS_HANDSHAKE_TIMEOUT')
    await lives(server)
  })

  test('lives through peers that reset right after their handshake, or in the middle of what they say', async () => {
    const server = await listeners.listen(servers[kind]())
    for (let i = 0; i < 20; i++) {
      const near = await dial(server)
      const { socket } = await connectTls(webSource, {
        to: { connection: near },
        server: members,
        alpnProtocols: ['h2', 'http/1.1'],
      }).catch(() => ({ socket: undefined }))
      if (i % 2 === 0) socket?.write('POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nx')
      near.resetAndDestroy()
    }
    await lives(server)
  })

  test.for([
    'expired',
    'notYetValid',
    'caLeaf',
    'forged',
    'foreign',
    'selfSigned',
    'twoUriSans',
    'noSan',
    'missingKeyUsage',
  ] as const)('reads nothing of a peer whose certificate is bad: %s', async (name) => {
    const server = await listeners.listen(servers[kind]())
    const heard: string[] = []
    for (const event of ['secureConnection', 'request', 'session', 'stream']) server.on(event, () => heard.push(event))
    const { chain, keyPair } = await issueBad(parties.home, name)
    const context = contextOptions({ ...parties.web, chain, privateKey: keyPair.privateKey })
    const socket = tls.connect({
      port: portOf(server),
      ...context,
      rejectUnauthorized: false,
      ALPNProtocols: ['h2', 'http/1.1'],
    })
    socket.on('error', () => {})
    socket.resume().write('GET / HTTP/1.1\r\nHost: db\r\n\r\n')
    await once(socket, 'close')
    expect(refused).toHaveLength(1)
    expect(heard).toEqual([])
  })
})

describe('a client', () => {
  test.for([
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
    ['closes', (socket: Socket) => socket.destroy()],
    ['talks nonsense', (socket: Socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['is silent', (socket: Socket) => socket.resume()],
  ] as const)('refuses a server that %s', async ([, misbehave]) => {
    const server = await listeners.listen(net.createServer((socket) => void misbehave(socket.on('error', () => {}))))
    const dialled = connectTls(webSource, {
      to: { host: '127.0.0.1', port: portOf(server) },
      server: members,
      timeoutMs: 200,
    })
    await expect(dialled).rejects.toThrowCode('TLS_FAILED')
  })

  test('says so where nobody listens', async () => {
    const server = await listeners.listen(net.createServer())
    const port = portOf(server)
    server.close()
    await expect(connectTls(webSource, { to: { host: '127.0.0.1', port }, server: members })).rejects.toThrowCode(
      'TLS_FAILED',
      'ECONNREFUSED',
    )
  })

  test('refuses a server that speaks TLS 1.2 only', async () => {
    const old = await listeners.listen(
      tls.createServer({ ...contextOptions(parties.db), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }),
    )
    await expect(
      connectTls(webSource, { to: { host: '127.0.0.1', port: portOf(old) }, server: members }),
    ).rejects.toThrowCode('TLS_FAILED')
  })
})

describe('requests of one agent', () => {
  test('never share a connection that was verified for somebody else', async () => {
    const server = await listeners.listen(servers.https())
    const agent = new https.Agent({ keepAlive: true })
    const ask = async (wanted: string): Promise<string> => {
      const request = https.get(`https://127.0.0.1:${portOf(server)}/`, {
        ...tlsClient(webSource, { server: exactly(`spiffe://example.org${wanted}`) }),
        agent,
      })
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return text(response)
    }
    expect(await ask('/db')).toBe('/web')
    await expect(ask('/orders')).rejects.toThrowCode('PEER_REFUSED')
    agent.destroy()
  })
})
