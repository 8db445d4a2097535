import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import http2, { type ServerHttp2Stream } from 'node:http2'
import https from 'node:https'
import net, { type Server as NetServer } from 'node:net'
import { text } from 'node:stream/consumers'
import tls, { type ConnectionOptions, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { exactly, memberOf } from '../../src/id/matcher.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { tlsClient } from '../../src/tls/tls-client.ts'
import { contextOptions } from '../../src/tls/tls-options.ts'
import { protect, tlsServer, type TlsServerOptions } from '../../src/tls/tls-server.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { heldSvid, TestSource } from '../fakes/test-source.ts'
import { Listeners, originOf, portOf, tlsParties } from './tls-parties.ts'

let home: TestAuthority
let partner: TestAuthority
let web: X509Svid
let dbSource: TestSource
let webSource: TestSource
beforeEach(async () => {
  ;({ home, partner, web, dbSource, webSource } = await tlsParties())
})

const listeners = new Listeners()
afterEach(() => listeners[Symbol.dispose]())
const listen = <S extends NetServer>(server: S): Promise<S> => listeners.listen(server)

const isDb = exactly('spiffe://example.org/db')
const members = memberOf('example.org')

/** A server of each kind that answers with the id of whoever asks. */
const kinds = {
  https: (options: TlsOptions) =>
    https.createServer(options, (request, response) => response.end(peerOf(request).id.toString())),
  'http2, compatibility layer': (options: TlsOptions) =>
    http2.createSecureServer({ ...options, allowHTTP1: true }, (request, response) =>
      response.end(peerOf(request).id.toString()),
    ),
  'http2, streams': (options: TlsOptions) =>
    http2.createSecureServer(options).on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 })
      stream.end(peerOf(stream).id.toString())
    }),
  tls: (options: TlsOptions) => tls.createServer(options, (socket) => socket.end(peerOf(socket).id.toString())),
} as const satisfies Record<string, (options: TlsOptions) => Server>
type Kind = keyof typeof kinds

async function askHttps(server: NetServer, options: https.RequestOptions): Promise<string> {
  const request = https.get(`${originOf(server)}/`, options)
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return text(response)
}

async function askHttp2(server: NetServer, options: ConnectionOptions): Promise<string> {
  const session = http2.connect(originOf(server), options).on('error', () => {})
  try {
    return await text(session.request({ ':path': '/' }))
  } catch (error) {
    // A request that was never sent names what became of its connection as the cause.
    throw (error as Error).cause ?? error
  } finally {
    session.destroy()
  }
}

const ask: Readonly<Record<Kind, (server: NetServer, options: ConnectionOptions) => Promise<string>>> = {
  https: askHttps,
  'http2, compatibility layer': askHttp2,
  'http2, streams': askHttp2,
  tls: async (server, options) => {
    const socket = tls.connect({ port: portOf(server), host: '127.0.0.1', ...options })
    await once(socket, 'secureConnect')
    return text(socket)
  },
}

describe.for(Object.keys(kinds) as Kind[])('%s, from plain options', (kind) => {
  const serve = (options: Partial<TlsServerOptions> = {}): Promise<Server> =>
    listen(kinds[kind](tlsServer(dbSource, { allow: members, ...options })))
  /** A refusal by the server may look like an empty answer: with TLS 1.3 the client is done before the server is. */
  const asked = async (server: NetServer, options: ConnectionOptions): Promise<string> => {
    const answer = await ask[kind](server, options)
    if (answer === '') throw new Error('no answer')
    return answer
  }

  test('X5-30 both sides verify each other, and the handler learns who asks', async () => {
    const server = await serve()
    expect(await ask[kind](server, tlsClient(webSource, { server: isDb }))).toBe('spiffe://example.org/web')
  })

  test('FE-08 a peer of a federated trust domain is verified with the bundle of that one', async () => {
    const server = await serve({ allow: exactly('spiffe://partner.test/shop') })
    const shop = new TestSource(await heldSvid(partner, '/shop'), home.bundle(), partner.bundle())
    expect(await ask[kind](server, tlsClient(shop, { server: isDb }))).toBe('spiffe://partner.test/shop')
  })

  test('refuses a peer that is not allowed, one of another authority, and one without certificate', async () => {
    const refused: (string | undefined)[] = []
    const server = await serve({
      allow: exactly('spiffe://example.org/admin'),
      onRefused: (error) => refused.push((error as { code?: string }).code),
    })
    const thief = new TestSource(
      await heldSvid(partner, '/x', { uriSans: ['spiffe://example.org/admin'] }),
      home.bundle(),
      partner.bundle(),
    )
    for (const client of [tlsClient(webSource, { server: isDb }), tlsClient(thief, { server: isDb })]) {
      await expect(asked(server, client)).rejects.toThrow()
    }
    const naked = tls.connect({ port: portOf(server), rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] })
    naked.resume().on('error', () => {})
    await once(naked, 'close')
    expect(refused).toEqual(['PEER_REFUSED', 'CERTIFICATE_UNTRUSTED', 'PEER_CERTIFICATE_MISSING'])
  })

  test('NT-09 the client refuses a server of the wrong id before it writes its request', async () => {
    const server = await serve()
    let received = 0
    server.on('secureConnection', (socket: TLSSocket) =>
      socket.on('data', ({ length }: Buffer) => (received += length)),
    )
    const other = tlsClient(webSource, { server: exactly('spiffe://example.org/orders') })
    await expect(asked(server, other)).rejects.toThrowCode('PEER_REFUSED', 'spiffe://example.org/orders')
    expect(received).toBe(0)
  })

  test('NT-10 the client does not let one trust domain vouch for another', async () => {
    dbSource.use(await heldSvid(partner, '/x', { uriSans: ['spiffe://example.org/db'] }))
    const server = await serve()
    await expect(ask[kind](server, tlsClient(webSource, { server: isDb }))).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
  })

  test('NT-08 an authority that is not self-signed is one, for both sides', async () => {
    const anchor = await home.intermediate()
    // Without the certificate of the anchor: the peer knows it from its bundle.
    const below = async (path: string): Promise<X509Svid> => {
      const svid = await heldSvid(anchor, path)
      return { ...svid, chain: [svid.chain[0]] }
    }
    dbSource.use(await below('/db'), home.bundle(anchor))
    webSource.use(await below('/web'), home.bundle(anchor))
    const server = await serve()
    expect(await ask[kind](server, tlsClient(webSource, { server: isDb }))).toBe('spiffe://example.org/web')
  })

  test('FS-09 the same options, server and client, follow a rotation of SVIDs and of authorities', async () => {
    const serials: string[] = []
    const server = await serve()
    server.on('secureConnection', (socket: TLSSocket) => serials.push(socket.getPeerX509Certificate()!.serialNumber))
    const client = tlsClient(webSource, { server: isDb })
    await ask[kind](server, client)
    const next = await TestAuthority.create()
    const both = home.bundle(home, next)
    dbSource.use(await heldSvid(next, '/db'), both)
    webSource.use(await heldSvid(next, '/web'), both)
    expect(await ask[kind](server, client)).toBe('spiffe://example.org/web')
    expect(new Set(serials).size).toBe(2)
    // The old authority is gone: an SVID of it is refused.
    dbSource.use(dbSource.current().svid, next.bundle())
    const old = tlsClient(new TestSource(web, both), { server: isDb })
    await expect(asked(server, old)).rejects.toThrow()
  })

  test('NT-11 no session is resumed, whatever a cache of somebody else offers', async () => {
    const refused: string[] = []
    const server = await serve({ minVersion: 'TLSv1.2', onRefused: ({ message }) => refused.push(message) })
    const cache = new Map<string, Buffer>()
    server.on('newSession', (id: Buffer, data: Buffer, done: () => void) => {
      cache.set(id.toString('hex'), data)
      done()
    })
    server.on('resumeSession', (id: Buffer, done: (error: null, data: Buffer | null) => void) =>
      done(null, cache.get(id.toString('hex')) ?? null),
    )
    const reused: boolean[] = []
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { minVersion: _, ...context } = contextOptions(web)
      const secureContext = tls.createSecureContext({ ...context, minVersion: 'TLSv1.2', maxVersion })
      const connect = (session?: Buffer): TLSSocket =>
        tls
          .connect({
            port: portOf(server),
            secureContext,
            rejectUnauthorized: false,
            ALPNProtocols: ['h2', 'http/1.1'],
            ...(session === undefined ? {} : { session }),
          })
          .on('error', () => {})
          .resume()
      const first = connect()
      const [session] = (await once(first, 'session')) as [Buffer]
      first.destroy()
      const again = connect(session)
      await once(again, 'secureConnect')
      reused.push(again.isSessionReused())
      if (again.isSessionReused()) await once(again, 'close')
      again.destroy()
    }
    // With TLS 1.2 the engine resumes out of such a cache, and the server lets go before it has read anything.
    expect(reused).toEqual([true, false])
    expect(refused).toEqual(['Cannot accept a resumed session: it has shown no certificate'])
  })

  test('accepts nobody where the verification could not take over, such as in a server that is handed its sockets', async () => {
    const accepted: unknown[] = []
    const inner = kinds[kind](tlsServer(dbSource, { allow: members })).on('secureConnection', (s) => accepted.push(s))
    const outer = await listen(net.createServer((socket) => inner.emit('connection', socket)))
    await expect(asked(outer, tlsClient(webSource, { server: isDb }))).rejects.toThrow()
    expect(accepted).toEqual([])
  })

  test('protect() covers sockets that are handed over', async () => {
    const inner = kinds[kind]({})
    const connections = protect(inner, dbSource, { allow: exactly('spiffe://example.org/web') })
    const outer = await listen(net.createServer((socket) => inner.emit('connection', socket)))
    expect(await ask[kind](outer, tlsClient(webSource, { server: isDb }))).toBe('spiffe://example.org/web')
    const stranger = new TestSource(await heldSvid(home, '/stranger'), home.bundle())
    await expect(asked(outer, tlsClient(stranger, { server: isDb }))).rejects.toThrow()
    await expect.poll(() => connections.size).toBe(0)
  })
})
