import { once } from 'node:events'
import type { createServer } from 'node:https'
import { connect as connectHttp2, createSecureServer, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { describe, expect, test } from 'vitest'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { until } from '../fakes/until.ts'
import { acme, idOf, quarantineOf, rowsOf, rule, withConduit, withMore } from '../src/policy/acme.ts'
import { callAs, connectAs, EnforcedService, httpsService, sendRaw, svidOf } from './enforced-service.ts'

const ordersId = idOf('/ns/shop/sa/orders')
/** Orders has a feed by WebSocket, which storefront may follow. */
const withFeed: PolicySet = withMore(
  { rules: [rule('follow', [{ pattern: '/ns/web/sa/storefront' }], 'orders', { actions: ['follow'] })] },
  {
    ...acme,
    services: acme.services.map((service) =>
      service.id === 'orders'
        ? {
            ...service,
            actions: [
              ...service.actions,
              {
                name: 'follow',
                pivot: false,
                match: [{ kind: 'http' as const, methods: ['GET'], path: '/v1/feed', upgrade: 'websocket' }],
              },
            ],
          }
        : service,
    ),
  },
)
const upgrade = [
  ...['GET /v1/feed HTTP/1.1', 'Host: orders.shop.svc', 'Connection: Upgrade', 'Upgrade: websocket'],
  ...['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', '', ''],
].join('\r\n')

/** A server whose streams say something until they are closed. */
async function feed(): Promise<EnforcedService<ReturnType<typeof createServer>>> {
  const server = httpsService()
  server.on('upgrade', (_request, socket: Duplex) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    socket.on('data', (said: Buffer) => socket.write(`heard ${said.toString()}`))
  })
  return EnforcedService.start(server, { set: withFeed })
}

async function follow(port: number): Promise<TLSSocket> {
  const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), port)
  socket.write(upgrade)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 101 /)
  return socket
}

/** Also of a socket that is reset. */
const closing = (socket: TLSSocket): Promise<void> =>
  new Promise((resolve) => socket.resume().once('close', () => resolve()))

async function say(socket: TLSSocket, words: string): Promise<string> {
  socket.write(words)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  return answer.toString()
}

describe('a WebSocket', () => {
  test('opens by an action of its own', async () => {
    await using service = await feed()
    const socket = await follow(service.port)
    expect(await say(socket, 'hello')).toBe('heard hello')
    const other = await connectAs(await svidOf('/ns/web/sa/blog'), service.port)
    expect(await sendRaw(other, upgrade)).toMatch(/^HTTP\/1\.1 403 Forbidden\r\nx-sallyport-decision/)
  })

  test('ends after the revocation of the rule that opened it, although the conduit is still there', async () => {
    await using service = await feed()
    const socket = await follow(service.port)
    const storefront = await svidOf('/ns/web/sa/storefront')
    const plain = await connectAs(storefront, service.port)
    const closed = closing(socket)
    const revoked = {
      ...withFeed,
      rules: acme.rules,
      settings: { ...acme.settings, connection: { maxAgeMs: 3_600_000, drainMs: 200 } },
    }
    service.agent.apply(revoked, rowsOf(revoked), ordersId)
    await closed
    await until(() => service.agent.records.some(({ code, reeval }) => code === 'NO_RULE' && reeval === 'policy'))
    expect(await callAs(storefront, service.port, { socket: plain })).toMatchObject({ status: 200 })
  })

  test('ends at once when its peer is quarantined, in the middle of a message', async () => {
    await using service = await feed()
    const socket = await follow(service.port)
    const closed = closing(socket)
    socket.write('half a ')
    service.agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf('/ns/web/sa/storefront') }) })
    await closed
    await until(() => service.agent.records.some(({ reeval }) => reeval === 'quarantine.add'))
    expect(service.agent.records.find(({ reeval }) => reeval !== null)).toMatchObject({ code: 'QUARANTINED' })
  })
})

describe('observe mode', () => {
  test('case 34: lets pass what it would refuse, and says so', async () => {
    const heard: string[] = []
    const server = httpsService((request, response) => {
      heard.push(request.url ?? '')
      response.end('served')
    })
    await using service = await EnforcedService.start(server, { service: 'erp', path: '/ns/erp/sa/erp' })
    const storefront = await svidOf('/ns/web/sa/storefront')
    const call = { path: '/items', headers: { host: 'erp' } }
    expect(await callAs(storefront, service.port, call)).toMatchObject({ status: 200, decision: undefined })
    expect(heard).toEqual(['/items'])
    await until(() => service.agent.records.some(({ req }) => req !== null))
    expect(service.agent.records.at(-1)).toMatchObject({
      ...{ decision: 'allow', wouldDeny: true, deniedBy: 'movement', code: 'NO_CONDUIT' },
    })
  })

  test('case 35: lets nobody pass who is quarantined', async () => {
    await using service = await EnforcedService.start(httpsService(), { service: 'erp', path: '/ns/erp/sa/erp' })
    service.agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf('/ns/web/sa/storefront') }) })
    await until(() => service.agent.delivered)
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
    expect(await sendRaw(socket, 'GET /items HTTP/1.1\r\nHost: erp\r\n\r\n')).toBe('')
    await until(() => service.agent.records.some(({ code }) => code === 'QUARANTINED'))
  })
})

test('what drafts would decide stands in the record beside what was decided', async () => {
  const drafted = withMore(
    {
      rules: [rule('deny-soon', [{ pattern: '/ns/web/sa/storefront' }], 'orders', { effect: 'deny', stage: 'draft' })],
    },
    withConduit('ops-read-shop', { stage: 'draft' }),
  )
  await using service = await EnforcedService.start(httpsService(), { set: drafted })
  expect(await callAs(await svidOf('/ns/web/sa/storefront'), service.port)).toMatchObject({ status: 200 })
  const refused = await callAs(await svidOf('/ns/web/sa/storefront'), service.port, { path: '/admin/x' })
  await service.enforcer.flushed()
  const [allowed] = service.agent.records.filter(({ decision }) => decision === 'allow')
  expect(allowed).toMatchObject({ shadow: { decision: 'deny', deniedBy: 'access', code: 'DENY_RULE' } })
  expect(await service.agent.record(refused.decision ?? '')).toMatchObject({ shadow: null })
})

describe('connection.maxAge', () => {
  const short = (maxAgeMs: number): PolicySet => ({
    ...acme,
    settings: { ...acme.settings, connection: { maxAgeMs, drainMs: 4000 } },
  })

  test('ends HTTP/2 by GOAWAY, and the request that is open finishes', async () => {
    const server = createSecureServer()
    const asked = Promise.withResolvers<() => void>()
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond({ ':status': 200 })
      asked.resolve(() => stream.end('late'))
    })
    await using service = await EnforcedService.start(server, { set: short(700) })
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port, ['h2'])
    const session = connectHttp2('https://orders.shop.svc', { createConnection: () => socket })
    const stream = session.request({ ':path': '/v1/orders/1', ':authority': 'orders.shop.svc' })
    const finish = await asked.promise
    await once(session, 'goaway')
    finish()
    const [body] = (await once(stream, 'data')) as [Buffer]
    expect(body.toString()).toBe('late')
    await once(session, 'close')
    expect(service.enforcer.connections.closed.get('aged')).toBe(1)
  })

  test('ends HTTP/1.1 by Connection: close on the next answer', async () => {
    const server = httpsService((_request, response) => response.end('served'))
    await using service = await EnforcedService.start(server, { set: short(500) })
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
    const request = 'GET /v1/orders/1 HTTP/1.1\r\nHost: orders.shop.svc\r\n\r\n'
    expect(await sendRaw(socket, request)).toMatch(/Connection: keep-alive/)
    await until(() => [...service.enforcer.connections].every(({ isDraining }) => isDraining))
    expect(await sendRaw(socket, request)).toMatch(/Connection: close/)
  })
})

test('a raw connection to a server of HTTP/2 reaches nobody who listens for unknown protocols', async () => {
  const heard: string[] = []
  const server = createSecureServer()
  server.on('unknownProtocol', () => heard.push('unknownProtocol'))
  const services = acme.services.map((one) => ({ ...one, listeners: one.listeners.map((l) => ({ ...l, alpn: [] })) }))
  await using service = await EnforcedService.start(server, { set: { ...acme, services } })
  const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port, [])
  const answer = await sendRaw(socket, 'GET /v1/orders/1 HTTP/1.1\r\nHost: orders.shop.svc\r\n\r\n')
  expect(answer).toMatch(/^HTTP\/1\.0 403 /)
  expect(heard).toEqual([])
})
