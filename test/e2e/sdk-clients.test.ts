import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import http2, { type ClientHttp2Session } from 'node:http2'
import https from 'node:https'
import net from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exactly, memberOf } from '../../src/id/matcher.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import type { ReusingClientOptions } from '../../src/tls/client-connections.ts'
import { connectHttp2 } from '../../src/tls/connect-http2.ts'
import { Connections } from '../../src/tls/connections.ts'
import { dispatcher } from '../../src/tls/dispatcher.ts'
import { httpsAgent } from '../../src/tls/https-agent.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { tlsServer, type TlsServerOptions } from '../../src/tls/tls-server.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { heldSvid, type TestSource } from '../fakes/test-source.ts'
import { Listeners, originOf, tlsParties } from './tls-parties.ts'

let home: TestAuthority
let db: X509Svid
let dbSource: TestSource
let webSource: TestSource
beforeEach(async () => {
  ;({ home, db, dbSource, webSource } = await tlsParties())
})

const listeners = new Listeners()
const closers: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()))
  listeners[Symbol.dispose]()
})

const isDb = exactly('spiffe://example.org/db')
const isOrders = exactly('spiffe://example.org/orders')
const members = memberOf('example.org')

/** Serves HTTP/1.1 and HTTP/2 with the id of the caller, and counts connections. */
class TestService {
  readonly connections: Connections
  readonly server: http2.Http2SecureServer
  readonly callers: string[] = []
  readonly serials: string[] = []
  answer: () => Promise<void> = () => Promise.resolve()

  constructor(
    options: Partial<TlsServerOptions> & { readonly registry?: ConstructorParameters<typeof Connections>[0] } = {},
  ) {
    const { registry, ...rest } = options
    this.connections = new Connections(registry)
    const settings = tlsServer(dbSource, { allow: members, connections: this.connections, ...rest })
    this.server = http2.createSecureServer({ ...settings, allowHTTP1: true }, (request, response) => {
      const { id } = peerOf(request)
      this.callers.push(id.toString())
      void this.answer().then(() => response.end(`hello ${id.path}`))
    })
    this.server.on('secureConnection', (socket: TLSSocket) =>
      this.serials.push(socket.getPeerX509Certificate()!.serialNumber),
    )
  }

  static async start(options: ConstructorParameters<typeof TestService>[0] = {}): Promise<TestService> {
    const service = new TestService(options)
    await listeners.listen(service.server)
    return service
  }
}

/** A client of each kind: asks over and over, with whatever it keeps open. */
type Ask = (path?: string) => Promise<string>
type Client = (service: TestService, options: ReusingClientOptions) => Ask

const clients: Readonly<Record<string, Client>> = {
  'https with an agent': ({ server }, options) => {
    const agent = httpsAgent(webSource, options)
    closers.push(() => agent.destroy())
    return async (path = '/') => {
      const [response] = (await once(https.get(`${originOf(server)}${path}`, { agent }), 'response')) as [
        IncomingMessage,
      ]
      return text(response)
    }
  },
  fetch: ({ server }, options) => {
    const orders = dispatcher(webSource, options)
    closers.push(() => orders[Symbol.asyncDispose]())
    return async (path = '/') => {
      const answer = await fetch(`${originOf(server)}${path}`, { dispatcher: orders }).catch((error: Error) => {
        throw error.cause
      })
      return answer.text()
    }
  },
  'http2 sessions': ({ server }, options) => {
    let session: ClientHttp2Session | undefined
    closers.push(() => session?.destroy())
    return async (path = '/') => {
      if (session === undefined || session.closed || session.destroyed)
        session = await connectHttp2(webSource, originOf(server), options)
      const stream = session.request({ ':path': path })
      return text(stream)
    }
  },
}

describe.for(Object.entries(clients))('%s', ([, client]) => {
  test('X5-30 verifies the server, is verified, and keeps its connection', async () => {
    const service = await TestService.start()
    const ask = client(service, { server: isDb })
    for (let i = 0; i < 10; i++) expect(await ask()).toBe('hello /web')
    // undici opens a second one while it still tidies up the first.
    expect(service.serials.length).toBeLessThanOrEqual(2)
  })

  test('NT-09 refuses a server of the wrong id before it writes its request', async () => {
    const service = await TestService.start()
    const ask = client(service, { server: isOrders })
    await expect(ask()).rejects.toThrowCode('PEER_REFUSED', 'wanted is spiffe://example.org/orders')
    await expect(ask()).rejects.toThrowCode('PEER_REFUSED')
    expect(service.callers).toEqual([])
  })

  test('FS-09 a new connection presents the newest SVID, under a new authority as well', async () => {
    const service = await TestService.start()
    const ask = client(service, { server: isDb, retire: { maxAgeMs: 50 } })
    await ask()
    const next = await TestAuthority.create()
    webSource.use(await heldSvid(next, '/web'), home.bundle(home, next))
    dbSource.use(db, home.bundle(home, next))
    await sleep(60)
    expect(await ask()).toBe('hello /web')
    expect(new Set(service.serials).size).toBe(2)
  })

  test('stops using a connection before its SVID expires, and no request fails', async () => {
    const service = await TestService.start({ registry: { retire: { drainMs: 100 } } })
    // Certificates count in whole seconds.
    const life = (): { notAfter: Date } => ({ notAfter: new Date(Date.now() + 4_000) })
    const renew = async (): Promise<void> => {
      webSource.use(await heldSvid(home, '/web', life()))
      dbSource.use(await heldSvid(home, '/db', life()))
    }
    await renew()
    const ask = client(service, { server: isDb })
    const end = Date.now() + 8_000
    let [asked, renewedAt] = [0, Date.now()]
    while (Date.now() < end) {
      if (Date.now() - renewedAt > 1_000) {
        await renew()
        renewedAt = Date.now()
      }
      expect(await Promise.all([ask(), ask(), ask()])).toEqual(['hello /web', 'hello /web', 'hello /web'])
      asked += 3
      await sleep(5)
    }
    expect(asked).toBeGreaterThan(100)
    expect(new Set(service.serials).size).toBeGreaterThanOrEqual(2)
    // The server would have closed them with the certificate's last moment; the client was first.
    expect(service.connections.closed.get('ended')).toBeGreaterThanOrEqual(2)
    expect(service.connections.closed.get('expired')).toBeUndefined()
  }, 20_000)

  test('a request that is open when its connection retires is answered', async () => {
    const service = await TestService.start()
    const ask = client(service, { server: isDb, retire: { maxAgeMs: 100 } })
    const slow = Promise.withResolvers<void>()
    service.answer = () => slow.promise
    const first = ask()
    await sleep(200)
    service.answer = () => Promise.resolve()
    expect(await ask()).toBe('hello /web')
    slow.resolve()
    expect(await first).toBe('hello /web')
    expect(service.serials).toHaveLength(2)
  })

  test('fails with an error code where nobody answers the handshake, and where there is no SVID', async () => {
    const silent = await listeners.listen(net.createServer((socket) => socket.resume()))
    const ask = client({ server: silent } as unknown as TestService, { server: isDb, timeoutMs: 100 })
    await expect(ask()).rejects.toThrowCode('TLS_FAILED', 'no answer within 100 ms')
    webSource.withdraw()
    await expect(ask()).rejects.toThrowCode('IDENTITY_NOT_HELD')
  })
})

describe('dispatcher()', () => {
  test('may be closed twice, also after it was destroyed', async () => {
    const service = await TestService.start()
    const closed = dispatcher(webSource, { server: isDb })
    await (await fetch(originOf(service.server), { dispatcher: closed })).text()
    const { close } = closed as unknown as { close(): Promise<void> }
    await close.call(closed)
    await close.call(closed)
    await closed[Symbol.asyncDispose]()
    const destroyed = dispatcher(webSource, { server: isDb })
    await (await fetch(originOf(service.server), { dispatcher: destroyed })).text()
    await (destroyed as unknown as { destroy(): Promise<void> }).destroy()
    await destroyed[Symbol.asyncDispose]()
  })

  test('finishes what was asked before it was closed, and takes nothing more meanwhile', async () => {
    const service = await TestService.start()
    const [begun, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    service.answer = () => (begun.resolve(), answered.promise)
    const orders = dispatcher(webSource, { server: isDb })
    const slow = fetch(originOf(service.server), { dispatcher: orders }).then((answer) => answer.text())
    await begun.promise
    const closing = orders[Symbol.asyncDispose]()
    const late: unknown = await fetch(originOf(service.server), { dispatcher: orders }).then(
      () => 'answered',
      (error: Error) => error.cause,
    )
    expect(late).toMatchObject({ message: expect.stringMatching(/closed/) as string })
    answered.resolve()
    expect(await slow).toBe('hello /web')
    await closing
  })

  test('speaks to nobody over plain HTTP, and to nobody once it is closed', async () => {
    const service = await TestService.start()
    const orders = dispatcher(webSource, { server: isDb })
    const causeOf = (url: string): Promise<unknown> =>
      fetch(url, { dispatcher: orders }).then(
        () => 'answered',
        (error: Error) => error.cause,
      )
    const plain = await causeOf(originOf(service.server).replace('https', 'http'))
    expect(plain).toThrowCode('TLS_FAILED', 'it takes https:')
    expect(plain).toMatchObject({ hint: 'Write the address with https://.' })
    await (await fetch(originOf(service.server), { dispatcher: orders })).text()
    await orders[Symbol.asyncDispose]()
    expect(await causeOf(originOf(service.server))).toMatchObject({
      code: expect.stringMatching(/^UND_ERR_(CLOSED|DESTROYED)$/) as string,
    })
    expect(await causeOf('https://127.0.0.2:1/')).not.toBe('answered')
    expect(service.callers).toHaveLength(1)
  })
})
