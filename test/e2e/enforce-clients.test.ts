import { once } from 'node:events'
import { get } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { createSecureServer } from 'node:http2'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { egress } from '../../src/enforce/egress.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { connectHttp2 } from '../../src/tls/connect-http2.ts'
import { connectTls } from '../../src/tls/connect-tls.ts'
import { dispatcher } from '../../src/tls/dispatcher.ts'
import { httpsAgent } from '../../src/tls/https-agent.ts'
import type { ServerMatcher } from '../../src/tls/tls-client.ts'
import type { TlsSource } from '../../src/tls/tls-source.ts'
import { PolicyAgent } from '../fakes/policy-agent.ts'
import { TestSource } from '../fakes/test-source.ts'
import { until } from '../fakes/until.ts'
import { acme, idOf, quarantineOf, rowsOf } from '../src/policy/acme.ts'
import { authority, EnforcedService, svidOf } from './enforced-service.ts'

const storefront = '/ns/web/sa/storefront'
const withoutPath: PolicySet = { ...acme, conduits: acme.conduits.filter(({ id }) => id !== 'edge-to-shop') }

/** A caller with a policy of its own, so that what is tested is its side alone. */
async function caller(path = storefront, service = 'orders') {
  const agent = new PolicyAgent()
  agent.apply(acme, rowsOf(acme), idOf(path))
  const policy = await agent.open()
  const source = new TestSource(await svidOf(path), (await authority()).bundle())
  const server = egress(source, { service, policy })
  return { agent, source, server, [Symbol.asyncDispose]: () => policy.close() }
}

/** An HTTP/2 and HTTP/1.1 server that says what reached it. */
async function orders() {
  const heard: string[] = []
  const server = createSecureServer({ allowHTTP1: true }, (request, response) => {
    heard.push(`${request.method} ${request.url}`)
    response.end('served')
  })
  // `fetch` sets its own Host.
  const set = { ...acme, services: acme.services.map((one) => ({ ...one, authorities: [] })) }
  return { heard, service: await EnforcedService.start(server, { set }) }
}

interface Caller {
  ask(): Promise<string>
  close(): void
}
type Open = (source: TlsSource, server: ServerMatcher, port: number) => Caller | Promise<Caller>

const headers = { host: 'orders.shop.svc' }
const clients: Readonly<Record<string, Open>> = {
  httpsAgent: (source, server, port) => {
    const agent = httpsAgent(source, { server })
    const ask = async (): Promise<string> => {
      const request = get({ host: '127.0.0.1', port, path: '/v1/orders/1', agent, headers })
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return text(response)
    }
    return { ask, close: () => agent.destroy() }
  },
  dispatcher: (source, server, port) => {
    const used = dispatcher(source, { server })
    const ask = async (): Promise<string> =>
      (await fetch(`https://127.0.0.1:${port}/v1/orders/1`, { dispatcher: used, headers })).text()
    return { ask, close: () => void used[Symbol.asyncDispose]() }
  },
  connectHttp2: async (source, server, port) => {
    const session = await connectHttp2(source, `https://127.0.0.1:${port}`, { server })
    const ask = async (): Promise<string> =>
      text(session.request({ ':path': '/v1/orders/1', ':authority': 'orders.shop.svc' }))
    return { ask, close: () => session.destroy() }
  },
  connectTls: async (source, server, port) => {
    const { socket } = await connectTls(source, {
      to: { host: '127.0.0.1', port },
      server,
      alpnProtocols: ['http/1.1'],
    })
    const ask = async (): Promise<string> => {
      socket.write('GET /v1/orders/1 HTTP/1.1\r\nHost: orders.shop.svc\r\n\r\n')
      const [answer] = (await once(socket, 'data')) as [Buffer]
      return answer.toString().slice(-'served'.length)
    }
    return { ask, close: () => socket.destroy() }
  },
}

describe.for(Object.entries(clients))('the source side of %s', ([, open]) => {
  test('reaches whom the policy lets it reach', async () => {
    const { heard, service } = await orders()
    await using _service = service
    await using from = await caller()
    const client = await open(from.source, from.server, service.port)
    expect(await client.ask()).toContain('served')
    expect(heard).toEqual(['GET /v1/orders/1'])
    client.close()
  })

  test('writes nothing to whom it may not reach, and the refusal is recorded on its side', async () => {
    const { heard, service } = await orders()
    await using _service = service
    await using from = await caller()
    from.agent.apply(withoutPath, rowsOf(withoutPath), idOf(storefront))
    await until(() => from.agent.delivered)
    const asked = (async () => (await open(from.source, from.server, service.port)).ask())()
    await expect(asked).rejects.toThrow()
    await until(() => from.agent.records.length > 0)
    expect(from.agent.records[0]).toMatchObject({ deniedBy: 'movement', code: 'NO_CONDUIT', pep: { side: 'client' } })
    expect(heard).toEqual([])
  })

  test('ends open connections at once when this workload is quarantined', async () => {
    const { service } = await orders()
    await using _service = service
    await using from = await caller()
    const client = await open(from.source, from.server, service.port)
    await client.ask()
    expect(service.enforcer.connections.size).toBe(1)
    from.agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf(storefront) }) })
    await until(() => service.enforcer.connections.size === 0)
    await until(() => from.agent.records.some(({ code, reeval }) => code === 'QUARANTINED' && reeval === 'policy'))
    client.close()
  })
})

test('a server that is not the service is refused, whatever the policy says', async () => {
  const { service } = await orders()
  await using _service = service
  await using from = await caller(storefront, 'erp')
  const to = { host: '127.0.0.1', port: service.port }
  await expect(connectTls(from.source, { to, server: from.server })).rejects.toThrowCode('PEER_REFUSED', 'wanted is')
})
