import { createServer as createHttpServer, IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createPlainServer, type Server as NetServer, Socket } from 'node:net'
import type { Server } from 'node:tls'
import { beforeAll, describe, expect, test } from 'vitest'
import { memberOf } from '../../../src/id/matcher.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import { Connections } from '../../../src/tls/connections.ts'
import { dispatcher } from '../../../src/tls/dispatcher.ts'
import { connectionOf, peerOf } from '../../../src/tls/peer-of.ts'
import { tlsClient, type TlsClientOptions } from '../../../src/tls/tls-client.ts'
import { protect, tlsServer, type TlsServerOptions } from '../../../src/tls/tls-server.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { heldSvid, TestSource } from '../../fakes/test-source.ts'

const allow = memberOf('example.org')
let home: TestAuthority
let db: X509Svid
const newSource = (): TestSource => new TestSource(db, home.bundle())

beforeAll(async () => {
  home = await TestAuthority.create()
  db = await heldSvid(home, '/db')
})

describe('tlsServer()', () => {
  test('X5-38 its options, by themselves, ask for a certificate and know no authority that could vouch for one', () => {
    expect(tlsServer(newSource(), { allow })).toMatchObject({
      requestCert: true,
      rejectUnauthorized: true,
      ca: [],
      minVersion: 'TLSv1.3',
    })
  })

  test('says at once that there is no SVID to serve with', () => {
    const source = newSource()
    source.withdraw()
    expect(() => tlsServer(source, { allow })).toThrowCode('IDENTITY_NOT_HELD')
  })

  test('needs to be told who may connect', () => {
    expect(() => tlsServer(newSource(), {} as TlsServerOptions)).toThrow(TypeError)
    expect(() => protect(createHttpsServer(), newSource(), {} as TlsServerOptions)).toThrow(TypeError)
    expect(() => tlsServer(newSource(), undefined as never)).toThrow('needs `allow`')
  })

  test('needs a source, not the promise of one', () => {
    const promise = Promise.resolve(newSource()) as never
    expect(() => tlsServer(promise, { allow })).toThrow('await X509Source.open()')
    expect(() => protect(createHttpsServer(), promise, { allow })).toThrow('await X509Source.open()')
  })

  test('takes rules of retirement once', () => {
    const both = { allow, retire: {}, connections: new Connections() }
    expect(() => tlsServer(newSource(), both)).toThrow(TypeError)
  })
})

describe('protect()', () => {
  test.for([
    ['of plain HTTP', () => createHttpServer()],
    ['of plain TCP', () => createPlainServer()],
  ] as const)('refuses a server %s', ([, create]) => {
    expect(() => protect(create() as NetServer as Server, newSource(), { allow })).toThrowCode(
      'SERVER_NOT_PROTECTED',
      'it is no TLS server',
    )
  })

  test('protects a server once', () => {
    const server = createHttpsServer()
    protect(server, newSource(), { allow })
    expect(() => protect(server, newSource(), { allow })).toThrowCode('SERVER_NOT_PROTECTED', 'already')
  })

  test('refuses a socket, and says why, while there is no SVID to present', () => {
    const server = createHttpsServer()
    const source = newSource()
    const refused: unknown[] = []
    protect(server, source, { allow, onRefused: (error) => refused.push((error as { code?: unknown }).code) })
    source.withdraw()
    const socket = new Socket()
    server.emit('connection', socket)
    expect([socket.destroyed, refused]).toEqual([true, ['IDENTITY_NOT_HELD']])
  })

  test('a request that somebody makes up reaches the handler, and has no peer', () => {
    const request = new IncomingMessage(new Socket())
    const heard: unknown[] = []
    const server = createHttpsServer((incoming) => heard.push(incoming))
    protect(server, newSource(), { allow })
    server.emit('request', request, new ServerResponse(request))
    expect(heard).toEqual([request])
    expect(() => peerOf(request)).toThrowCode('PEER_NOT_VERIFIED')
  })
})

test('peerOf() knows nothing of what was not verified here', () => {
  const certificate = { raw: db.chain[0].der }
  const call = { getAuthContext: () => ({ transportSecurityType: 'ssl', sslPeerCertificate: certificate }) }
  const strangers = [
    new Socket(),
    {},
    { stream: { session: {} } },
    { socket: null },
    call,
    { getAuthContext: () => ({}) },
  ]
  for (const stranger of strangers) {
    expect(() => peerOf(stranger)).toThrowCode('PEER_NOT_VERIFIED')
    expect(() => connectionOf(stranger)).toThrowCode('PEER_NOT_VERIFIED')
  }
})

describe('tlsClient()', () => {
  const used = (options: object): Record<string, unknown> => ({ ...options })

  test('one context for each identity, shared, and a new one with new bundles', () => {
    const source = newSource()
    const [one, other] = [tlsClient(source, { server: allow }), tlsClient(source, { server: allow })]
    const before = used(one)['secureContext']
    expect(used(other)['secureContext']).toBe(before)
    expect(used(one)['secureContext']).toBe(before)
    source.use(db, home.bundle())
    expect(used(one)['secureContext']).not.toBe(before)
  })

  test('agents can tell options for different servers and different SVIDs apart', async () => {
    const source = newSource()
    const [one, other] = [tlsClient(source, { server: allow }), tlsClient(source, { server: allow })]
    const groups = [used(one), used(one), used(other)].map(({ sessionIdContext }) => sessionIdContext)
    expect(groups[0]).toBe(groups[1])
    expect(groups[0]).not.toBe(groups[2])
    source.use(await heldSvid(home, '/db'))
    expect(used(one)['sessionIdContext']).not.toBe(groups[0])
  })

  test('verifies, and never resumes', () => {
    const options = tlsClient(newSource(), { server: allow })
    expect(options).toMatchObject({ rejectUnauthorized: true, minVersion: 'TLSv1.3' })
    expect('session' in options && options.session === undefined).toBe(true)
    expect(options.checkServerIdentity?.('db', {} as never)).toThrowCode('PEER_CERTIFICATE_MISSING')
  })

  test('needs to be told who must answer', () => {
    expect(() => tlsClient(newSource(), {} as TlsClientOptions)).toThrow(TypeError)
    expect(() => tlsClient(newSource(), undefined as never)).toThrow('needs `server`')
  })

  test('needs a source, not the promise of one', () => {
    expect(() => tlsClient(Promise.resolve(newSource()) as never, { server: allow })).toThrow('await X509Source.open()')
  })
})

test('dispatcher() refuses to build on an agent that does not connect as it is told', () => {
  const [first, second] = [1, 2].map((n) => Symbol.for(`undici.globalDispatcher.${n}`)) as [symbol, symbol]
  const world = globalThis as unknown as Record<symbol, unknown>
  void globalThis.Headers
  const before = [world[first], world[second]]
  try {
    // As an agent for proxies would be: of another class.
    for (const name of [first, second]) world[name] = new EventTarget()
    expect(() => dispatcher(newSource(), { server: allow })).toThrowCode('FETCH_AGENT_UNKNOWN')
  } finally {
    for (const [index, name] of [first, second].entries()) world[name] = before[index]
  }
})
