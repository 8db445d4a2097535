import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { until } from '../fakes/until.ts'
import { heldSvid } from '../fakes/test-source.ts'
import { acme, idOf, quarantineOf, rowsOf, withConduit } from '../src/policy/acme.ts'
import {
  authority,
  callAs,
  connectAs,
  EnforcedService,
  httpsService,
  partner,
  sendRaw,
  svidOf,
} from './enforced-service.ts'

/** A server that counts what reaches its handlers. */
function counted() {
  const seen: string[] = []
  const server = httpsService((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    request.resume()
    response.end('served')
  })
  return { server, seen }
}

describe('an HTTPS server that enforces', () => {
  test('lets in who may move and act, and refuses by name whoever may not act', async () => {
    const { server, seen } = counted()
    await using service = await EnforcedService.start(server)
    const storefront = await svidOf('/ns/web/sa/storefront')
    expect(await callAs(storefront, service.port)).toMatchObject({ status: 200, body: 'served', decision: undefined })
    const refused = await callAs(storefront, service.port, { path: '/admin/users' })
    expect(refused).toMatchObject({ status: 403, body: '' })
    expect(await service.agent.record(refused.decision ?? '')).toMatchObject({ deniedBy: 'access', code: 'GUARD' })
    expect(seen).toEqual(['GET /v1/orders/1'])
  })

  test('closes the connection of whoever may not move here before a byte is read', async () => {
    const { server, seen } = counted()
    await using service = await EnforcedService.start(server)
    const socket = await connectAs(await svidOf('/ns/erp/sa/erp'), service.port)
    expect(await sendRaw(socket, 'GET /v1/orders/1 HTTP/1.1\r\nHost: orders.shop.svc\r\n\r\n')).toBe('')
    await until(() => service.agent.records.length > 0)
    expect(service.agent.records[0]).toMatchObject({ deniedBy: 'movement', code: 'NO_CONDUIT', decision: 'deny' })
    expect(seen).toEqual([])
  })

  const storefrontGets = 'Host: orders.shop.svc\r\n\r\n'
  test.for([
    ['case 41: dot segments', 'GET /admin/../v1/orders/1 HTTP/1.1', 'PATH_DOT_SEGMENT'],
    ['case 42: encoded dots', 'GET /v1/orders/%2e%2e/%2e%2e/admin/users HTTP/1.1', 'PATH_AMBIGUOUS_ESCAPE'],
    ['case 44: an empty segment', 'GET //v1/orders/1 HTTP/1.1', 'PATH_EMPTY_SEGMENT'],
    ['case 45: an encoded slash', 'GET /v1/orders%2f1 HTTP/1.1', 'PATH_AMBIGUOUS_ESCAPE'],
    ['case 46: backslashes', 'GET /v1\\orders\\1 HTTP/1.1', 'PATH_FORBIDDEN_CHAR'],
    ['case 47: a matrix parameter', 'GET /v1/orders;x=/admin HTTP/1.1', 'PATH_FORBIDDEN_CHAR'],
    ['case 48: the absolute form', 'GET http://evil/admin HTTP/1.1', 'PATH_NO_LEADING_SLASH'],
    ['case 49: a fragment', 'GET /v1/orders/1#/admin HTTP/1.1', 'PATH_FORBIDDEN_CHAR'],
    ['case 54: HEAD is not implied by GET', 'HEAD /v1/orders HTTP/1.1', 'NO_ACTION'],
  ] as const)('%s', async ([, line, code]) => {
    const { server, seen } = counted()
    await using service = await EnforcedService.start(server)
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
    const answer = await sendRaw(socket, `${line}\r\n${storefrontGets}`)
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden\r\nx-sallyport-decision: [0-9A-Z]{26}\r\n/)
    const [, id = ''] = /x-sallyport-decision: (\w+)/.exec(answer) ?? []
    expect((await service.agent.record(id)).code).toBe(code)
    expect(seen).toEqual([])
  })

  test('case 55: a method override that the service did not declare', async () => {
    const { server, seen } = counted()
    await using service = await EnforcedService.start(server)
    const storefront = await svidOf('/ns/web/sa/storefront')
    const headers = { 'X-HTTP-Method-Override': 'DELETE' }
    const { decision = '' } = await callAs(storefront, service.port, { headers })
    expect((await service.agent.record(decision)).code).toBe('METHOD_OVERRIDE')
    expect(seen).toEqual([])
  })

  test('case 56: another authority on the connection, and two Host headers of which one is another', async () => {
    const { server, seen } = counted()
    await using service = await EnforcedService.start(server)
    const storefront = await svidOf('/ns/web/sa/storefront')
    const { decision = '' } = await callAs(storefront, service.port, { headers: { host: 'ledger.pay.svc' } })
    expect((await service.agent.record(decision)).code).toBe('AUTHORITY_MISMATCH')
    const socket = await connectAs(storefront, service.port)
    const both = await sendRaw(socket, 'GET /v1/orders/1 HTTP/1.1\r\nHost: orders.shop.svc\r\nHost: evil\r\n\r\n')
    expect(both).toMatch(/^HTTP\/1\.1 40[03] /)
    expect(seen).toEqual([])
  })

  test('case 59: a stolen token widens nothing', async () => {
    const { server } = counted()
    await using service = await EnforcedService.start(server)
    const nolabel = await svidOf('/ns/web/sa/nolabel')
    const headers = { Authorization: 'Bearer aaa.bbb.ccc' }
    const { status, decision = '' } = await callAs(nolabel, service.port, {
      headers,
      method: 'POST',
      path: '/v1/orders',
    })
    expect(status).toBe(403)
    expect(await service.agent.record(decision)).toMatchObject({ deniedBy: 'access', jwt: 'ignored' })
  })

  test('what is pipelined behind a refusal is asked about by itself', async () => {
    const { server, seen } = counted()
    await using service = await EnforcedService.start(server)
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
    const one = (path: string) => `GET ${path} HTTP/1.1\r\n${storefrontGets}`
    const answers = await sendRaw(socket, one('/admin/users') + one('/v1/orders/7') + one('/admin/users'))
    expect([...answers.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['403', '200', '403'])
    expect(seen).toEqual(['GET /v1/orders/7'])
  })

  test('a request smuggled by two lengths is no request', async () => {
    const { server, seen } = counted()
    await using service = await EnforcedService.start(server)
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
    const smuggled = 'GET /admin/users HTTP/1.1\r\nHost: orders.shop.svc\r\n\r\n'
    const head = 'POST /v1/orders HTTP/1.1\r\nHost: orders.shop.svc\r\nTransfer-Encoding: chunked\r\n'
    await sendRaw(socket, `${head}Content-Length: ${smuggled.length + 5}\r\n\r\n0\r\n\r\n${smuggled}`)
    expect(seen).not.toContain('GET /admin/users')
  })

  test('an upgrade needs an action of its own, whoever listens for upgrades', async () => {
    const { server, seen } = counted()
    server.on('upgrade', () => seen.push('upgraded'))
    await using service = await EnforcedService.start(server)
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
    const answer = await sendRaw(socket, `GET /v1/orders/1 HTTP/1.1\r\n${upgrade}${storefrontGets}`)
    expect(answer).toMatch(/^HTTP\/1\.1 403 Forbidden/)
    expect(seen).toEqual([])
  })

  test('CONNECT and Expect: 100-continue pass the gate as well', async () => {
    const { server, seen } = counted()
    server.on('connect', () => seen.push('connected'))
    server.on('checkContinue', () => seen.push('continued'))
    await using service = await EnforcedService.start(server)
    const storefront = await svidOf('/ns/web/sa/storefront')
    const tunnel = await sendRaw(
      await connectAs(storefront, service.port),
      `CONNECT /v1/orders/1 HTTP/1.1\r\n${storefrontGets}`,
    )
    expect(tunnel).toMatch(/^HTTP\/1\.1 40[03] /)
    const expecting = `PUT /v1/orders/1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n${storefrontGets}`
    expect(await sendRaw(await connectAs(storefront, service.port), expecting)).toMatch(/^HTTP\/1\.1 403 /)
    expect(seen).toEqual([])
  })

  test('listeners that were added later hear no more than the first ones', async () => {
    const { server } = counted()
    await using service = await EnforcedService.start(server)
    const seen: string[] = []
    server.on('request', (request) => seen.push(request.url ?? ''))
    server.prependListener('request', (request) => seen.push(request.url ?? ''))
    await callAs(await svidOf('/ns/web/sa/storefront'), service.port, { path: '/admin/users' })
    expect(seen).toEqual([])
  })
})

describe('identity on the wire', () => {
  /** The handshake of a caller is done before the server has seen its certificate: the server closes it then. */
  async function refusedByServer(svid: X509Svid, port: number): Promise<void> {
    const socket = await connectAs(svid, port)
    if (!socket.closed) await once(socket.resume(), 'close')
  }

  test.for([
    ['case 10: an expired SVID', 'SVID_EXPIRED', -120_000, -60_000],
    ['ZO-01: one that is not valid yet', 'CHAIN_INVALID', 60_000, 120_000],
  ] as const)('%s', async ([, code, from, to]) => {
    await using service = await EnforcedService.start(httpsService())
    const now = Date.now()
    const life = { notBefore: new Date(now + from), notAfter: new Date(now + to) }
    await refusedByServer(await svidOf('/ns/web/sa/storefront', life), service.port)
    await until(() => service.agent.records.length > 0)
    expect(service.agent.records[0]).toMatchObject({ deniedBy: 'identity', code })
  })

  test('case 15: a local id whose chain only the partner vouches for', async () => {
    await using service = await EnforcedService.start(httpsService())
    const forged = await heldSvid(await partner(), '/x', { uriSans: [idOf('/ns/web/sa/storefront')] })
    await refusedByServer(forged, service.port)
    await until(() => service.agent.records.length > 0)
    expect(service.agent.records[0]).toMatchObject({ deniedBy: 'identity', code: 'TRUST_DOMAIN_MISMATCH' })
  })

  test('case 10: an SVID that expires while the connection is open', async () => {
    const { server } = counted()
    await using service = await EnforcedService.start(server)
    const shortLived = await svidOf('/ns/web/sa/storefront', { notAfter: new Date(Date.now() + 1500) })
    const socket = await connectAs(shortLived, service.port)
    await once(socket, 'close')
    await until(() => service.agent.records.some(({ code, reeval }) => code === 'SVID_EXPIRED' && reeval !== null))
  })
})

describe('open connections', () => {
  test('case 35 36: a quarantine closes them at once, both ways', async () => {
    await using service = await EnforcedService.start(httpsService())
    const [storefront, canary] = [await svidOf('/ns/web/sa/storefront'), await svidOf('/ns/web/sa/canary')]
    const [one, other] = [await connectAs(storefront, service.port), await connectAs(canary, service.port)]
    await until(() => service.enforcer.connections.size === 2)
    service.agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf('/ns/web/sa/storefront') }) })
    await once(one, 'close')
    expect(other.closed).toBe(false)
    service.agent.tell({
      kind: 'quarantine.add',
      body: { ...quarantineOf({ identity: idOf('/ns/shop/sa/orders') }), id: 'q2' },
    })
    await once(other, 'close')
    await until(() => service.agent.records.filter(({ code }) => code === 'QUARANTINED').length === 2)
  })

  test('case 69: a conduit that is taken away ends what went through it, after its request', async () => {
    const { server } = counted()
    await using service = await EnforcedService.start(server)
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
    await until(() => service.enforcer.connections.size === 1)
    const without = { ...acme, conduits: acme.conduits.filter(({ id }) => id !== 'edge-to-shop') }
    service.agent.apply(without, rowsOf(without), idOf('/ns/shop/sa/orders'))
    await once(socket, 'close')
    await until(() => service.agent.records.some(({ code, reeval }) => code === 'NO_CONDUIT' && reeval === 'policy'))
  })

  test('a change that concerns somebody else leaves them open', async () => {
    await using service = await EnforcedService.start(httpsService())
    const socket = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
    await until(() => service.enforcer.connections.size === 1)
    const changed = withConduit('ops-read-shop', { stage: 'draft' })
    service.agent.apply(changed, rowsOf(changed), idOf('/ns/shop/sa/orders'))
    service.agent.tell({ kind: 'offboard', body: { spiffeId: idOf('/ns/web/sa/blog') } })
    expect(await callAs(await svidOf('/ns/web/sa/storefront'), service.port, { socket })).toMatchObject({ status: 200 })
  })

  test('case 70: a rule that was narrowed refuses the next request, and the connection stays', async () => {
    await using service = await EnforcedService.start(httpsService())
    const storefront = await svidOf('/ns/web/sa/storefront')
    const socket = await connectAs(storefront, service.port)
    const narrowed = {
      ...acme,
      rules: acme.rules.map((rule) => (rule.id === 'storefront-orders' ? { ...rule, actions: ['read'] } : rule)),
    }
    service.agent.apply(narrowed, rowsOf(narrowed), idOf('/ns/shop/sa/orders'))
    await until(() => service.policy.current().status.policyRevision === 2)
    const answer = await sendRaw(
      socket,
      'POST /v1/orders HTTP/1.1\r\nHost: orders.shop.svc\r\nContent-Length: 0\r\n\r\nGET /v1/orders/1 HTTP/1.1\r\nHost: orders.shop.svc\r\n\r\n',
    )
    expect([...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(['403', '200'])
  })
})

test('decisions never hold raw paths, queries or tokens', async () => {
  await using service = await EnforcedService.start(httpsService())
  const storefront = await svidOf('/ns/web/sa/storefront')
  const headers = { Authorization: 'Bearer sekret.sekret.sekret' }
  await callAs(storefront, service.port, { path: '/v1/orders/4711?card=4111', headers })
  await callAs(storefront, service.port, { path: '/admin/hidden-4711?card=4111', headers })
  await service.enforcer.flushed()
  const told =
    JSON.stringify(service.agent.records) + JSON.stringify(service.agent.reports.map(({ counters }) => counters))
  expect(told).toContain('/v1/orders/{id}')
  for (const secret of ['4711', '4111', 'sekret', 'hidden']) expect(told).not.toContain(secret)
  expect(await authority()).toBeDefined()
})
