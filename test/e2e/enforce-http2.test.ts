import { once } from 'node:events'
import {
  connect,
  createSecureServer,
  type ClientHttp2Session,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import { createServer as createTlsServer } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { until } from '../fakes/until.ts'
import { idOf, quarantineOf } from '../src/policy/acme.ts'
import { connectAs, EnforcedService, svidOf } from './enforced-service.ts'

async function sessionAs(path: string, port: number): Promise<ClientHttp2Session> {
  const socket = await connectAs(await svidOf(path), port, ['h2'])
  const session = connect('https://orders.shop.svc', { createConnection: () => socket })
  session.on('error', () => {})
  return session
}

interface Answer {
  readonly status: number
  readonly decision: string
  readonly grpcStatus: string | undefined
}

async function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<Answer> {
  const stream = session.request({ ':authority': 'orders.shop.svc', ...headers }, { endStream: true })
  stream.on('error', () => {})
  const [answer] = (await once(stream, 'response')) as [Record<string, string>]
  stream.resume()
  return {
    status: Number(answer[':status']),
    decision: answer['x-sallyport-decision'] ?? '',
    grpcStatus: answer['grpc-status'],
  }
}

/** An HTTP/2 server that says which of its listeners heard of what. */
function listening() {
  const seen: string[] = []
  const server = createSecureServer({ allowHTTP1: true })
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    seen.push(`stream ${headers[':path']}`)
    if (server.listenerCount('request') === 0) stream.respond({ ':status': 200 }, { endStream: true })
  })
  server.on('session', (session) =>
    session.on('stream', (_stream, headers) => seen.push(`session ${headers[':path']}`)),
  )
  return { server, seen }
}

describe('an HTTP/2 server that enforces', () => {
  test('lets pass and refuses by stream, for whoever listens to server or session', async () => {
    const { server, seen } = listening()
    await using service = await EnforcedService.start(server)
    const session = await sessionAs('/ns/web/sa/storefront', service.port)
    expect((await ask(session, { ':path': '/v1/orders/1' })).status).toBe(200)
    const refused = await ask(session, { ':path': '/admin/users' })
    expect(refused.status).toBe(403)
    expect((await service.agent.record(refused.decision)).code).toBe('GUARD')
    expect(seen.toSorted()).toEqual(['session /v1/orders/1', 'stream /v1/orders/1'])
    session.destroy()
  })

  test('the compatibility layer hears of no more than streams do', async () => {
    const { server, seen } = listening()
    server.on('request', (request, response) => {
      seen.push(`request ${request.url}`)
      response.end()
    })
    await using service = await EnforcedService.start(server)
    const session = await sessionAs('/ns/web/sa/storefront', service.port)
    await ask(session, { ':path': '/admin/users' })
    await ask(session, { ':path': '/v1/orders/1' })
    expect(seen.filter((one) => one.startsWith('request'))).toEqual(['request /v1/orders/1'])
    session.destroy()
  })

  test('case 56: coalescing: another authority on the same connection', async () => {
    const { server, seen } = listening()
    await using service = await EnforcedService.start(server)
    const session = await sessionAs('/ns/web/sa/storefront', service.port)
    const one = await ask(session, { ':path': '/v1/orders/1', ':authority': 'ledger.pay.svc' })
    const two = await ask(session, { ':path': '/v1/orders/1', host: 'ledger.pay.svc' })
    expect((await service.agent.record(one.decision)).code).toBe('AUTHORITY_MISMATCH')
    expect((await service.agent.record(two.decision)).code).toBe('AUTHORITY_MISMATCH')
    expect(seen).toEqual([])
    session.destroy()
  })

  test('CONNECT is refused', async () => {
    const { server, seen } = listening()
    await using service = await EnforcedService.start(server)
    const session = await sessionAs('/ns/web/sa/storefront', service.port)
    const { status } = await ask(session, { ':method': 'CONNECT', ':authority': 'orders.shop.svc' })
    expect(status).toBeGreaterThanOrEqual(400)
    expect(seen).toEqual([])
    session.destroy()
  })

  test('a quarantine ends the session at once', async () => {
    const { server } = listening()
    await using service = await EnforcedService.start(server)
    const session = await sessionAs('/ns/web/sa/storefront', service.port)
    await ask(session, { ':path': '/v1/orders/1' })
    service.agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf('/ns/web/sa/storefront') }) })
    await once(session, 'close')
  })

  test('a gRPC call is refused by its own status', async () => {
    const { server, seen } = listening()
    await using service = await EnforcedService.start(server, {
      service: 'ledger',
      path: '/ns/pay/sa/ledger',
      policyPort: 9443,
    })
    const session = await sessionAs('/ns/shop/sa/checkout', service.port)
    const grpc = { ':method': 'POST', 'content-type': 'application/grpc', ':authority': 'ledger.pay.svc' }
    expect((await ask(session, { ...grpc, ':path': '/ledger.v1.Ledger/Post' })).status).toBe(200)
    const refused = await ask(session, { ...grpc, ':path': '/ledger.v1.Ledger/Get' })
    expect(refused).toMatchObject({ status: 200, grpcStatus: '7' })
    expect((await service.agent.record(refused.decision)).code).toBe('NO_RULE')
    const wrongCase = await ask(session, { ...grpc, ':path': '/ledger.v1.Ledger/post' })
    expect((await service.agent.record(wrongCase.decision)).code).toBe('NO_ACTION')
    expect(seen.filter((one) => one.startsWith('stream'))).toEqual(['stream /ledger.v1.Ledger/Post'])
    session.destroy()
  })
})

describe('a raw TLS server that enforces', () => {
  const database = { service: 'orders-db', path: '/ns/data/sa/pg-orders', policyPort: 5432 }

  test('decides both gates before a byte is read', async () => {
    const heard: string[] = []
    const server = createTlsServer({ ALPNProtocols: ['postgresql'] }, (socket) => {
      heard.push('connection')
      socket.write('hello')
    })
    await using service = await EnforcedService.start(server, database)
    const good = await connectAs(await svidOf('/ns/shop/sa/orders'), service.port, ['postgresql'])
    await once(good, 'data')
    const bad = await connectAs(await svidOf('/ns/shop/sa/checkout'), service.port, ['postgresql'])
    await once(bad.resume(), 'close')
    await until(() => service.agent.records.some(({ code }) => code === 'NO_CONDUIT'))
    expect(heard).toEqual(['connection'])
    good.destroy()
  })

  test('case 39: without the ALPN of the listener', async () => {
    await using service = await EnforcedService.start(createTlsServer(), database)
    const socket = await connectAs(await svidOf('/ns/shop/sa/orders'), service.port, [])
    await once(socket.resume(), 'close')
    await until(() => service.agent.records.some(({ code }) => code === 'ALPN_MISMATCH'))
  })

  test('case 40: raw bytes to a listener of HTTP', async () => {
    await using service = await EnforcedService.start(createTlsServer({ ALPNProtocols: ['h2'] }), {})
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port, ['h2'])
    await once(socket.resume(), 'close')
    await until(() => service.agent.records.some(({ code }) => code === 'PROTOCOL_MISMATCH'))
  })
})
