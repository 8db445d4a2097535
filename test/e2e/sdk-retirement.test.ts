import { once } from 'node:events'
import http2 from 'node:http2'
import https from 'node:https'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memberOf } from '../../src/id/matcher.ts'
import { Connections } from '../../src/tls/connections.ts'
import { tlsClient } from '../../src/tls/tls-client.ts'
import { tlsServer } from '../../src/tls/tls-server.ts'
import type { TestAuthority } from '../../src/testing/test-authority.ts'
import { heldSvid, TestSource } from '../fakes/test-source.ts'
import { Listeners, originOf, portOf, tlsParties } from './tls-parties.ts'

// Stock clients, which keep their connections open: it is the server that ends them once the peer's SVID has expired.

const members = memberOf('example.org')
const listeners = new Listeners()
afterEach(() => listeners[Symbol.dispose]())

let home: TestAuthority
let dbSource: TestSource
let connections: Connections
beforeEach(async () => {
  ;({ home, dbSource } = await tlsParties())
  connections = new Connections({ retire: { onExpiry: true, drainMs: 600 } })
})

/** A client whose SVID has two to three seconds left. */
async function shortLived() {
  const notAfter = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_000)
  const source = new TestSource(await heldSvid(home, '/web', { notAfter }), home.bundle())
  return { notAfter, options: tlsClient(source, { server: members }) }
}

const serverOptions = (): tls.TlsOptions => tlsServer(dbSource, { allow: members, connections })
const expired = (): number => connections.closed.get('expired') ?? 0

describe('a connection whose peer has expired', () => {
  test('HTTP/2: GOAWAY, the request that is open is answered, then it is closed', async () => {
    const finish = Promise.withResolvers<void>()
    const server = await listeners.listen(
      http2.createSecureServer(
        serverOptions(),
        (_request, response) => void finish.promise.then(() => response.end('done')),
      ),
    )
    const { notAfter, options } = await shortLived()
    const session = http2.connect(originOf(server), options)
    const answer = text(session.request({ ':path': '/slow' }))
    const [code] = (await once(session, 'goaway')) as [number]
    expect(code).toBe(http2.constants.NGHTTP2_NO_ERROR)
    expect(Date.now()).toBeGreaterThanOrEqual(notAfter.getTime())
    finish.resolve()
    expect(await answer).toBe('done')
    if (!session.destroyed) await once(session, 'close')
    await expect.poll(expired).toBe(1)
  })

  test('HTTP/2: a request that takes too long is cut off', async () => {
    const server = await listeners.listen(http2.createSecureServer(serverOptions(), () => {}))
    const { notAfter, options } = await shortLived()
    const session = http2.connect(originOf(server), options).on('error', () => {})
    const stream = session.request({ ':path': '/never' }).on('error', () => {})
    await once(stream, 'close')
    expect(Date.now()).toBeGreaterThanOrEqual(notAfter.getTime() + 600)
    await expect.poll(expired).toBe(1)
  })

  test('HTTP/1.1: the open request is answered with Connection: close, and that is the end', async () => {
    const finish = Promise.withResolvers<void>()
    const server = await listeners.listen(
      https.createServer(serverOptions(), (request, response) => {
        if (request.url === '/slow') void finish.promise.then(() => response.end('done'))
        else response.end('quick')
      }),
    )
    const { notAfter, options } = await shortLived()
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
    const ask = async (path: string) => {
      const request = https.get(`${originOf(server)}${path}`, { ...options, agent })
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return { connection: response.headers.connection, body: await text(response) }
    }
    expect(await ask('/quick')).toMatchObject({ connection: 'keep-alive', body: 'quick' })
    const slow = ask('/slow')
    await expect.poll(() => [...connections][0]?.isDraining, { timeout: 6_000, interval: 20 }).toBe(true)
    expect(Date.now()).toBeGreaterThanOrEqual(notAfter.getTime())
    finish.resolve()
    expect(await slow).toEqual({ connection: 'close', body: 'done' })
    await expect.poll(expired).toBe(1)
    agent.destroy()
  })

  test('HTTP/1.1: one that is idle may still ask once, and is closed after the time for it', async () => {
    const server = await listeners.listen(
      https.createServer(serverOptions(), (_request, response) => response.end('x')),
    )
    const { notAfter, options } = await shortLived()
    const socket = tls.connect({ port: portOf(server), ...options })
    socket.on('error', () => {})
    const idle = tls.connect({ port: portOf(server), ...options }).resume()
    await expect.poll(() => [...connections][0]?.isDraining, { timeout: 6_000, interval: 20 }).toBe(true)
    socket.write('GET / HTTP/1.1\r\nHost: db\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n/)
    if (!idle.destroyed) await once(idle, 'close')
    expect(Date.now()).toBeGreaterThanOrEqual(notAfter.getTime() + 600)
    await expect.poll(expired).toBe(2)
  })

  test('raw TLS: the end of the stream', async () => {
    const server = await listeners.listen(tls.createServer(serverOptions(), (socket) => socket.resume()))
    const { notAfter, options } = await shortLived()
    const socket = tls.connect({ port: portOf(server), ...options }).resume()
    await once(socket, 'end')
    expect(Date.now()).toBeGreaterThanOrEqual(notAfter.getTime())
    await expect.poll(expired).toBe(1)
  })
})
