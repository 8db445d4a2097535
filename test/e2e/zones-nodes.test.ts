import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectTls, enforce, exactly, PolicySource, X509Source } from '../../src/index.ts'
import type { Decision } from '../../src/policy/decision.ts'
import type { TlsSource } from '../../src/tls/tls-source.ts'
import { House } from './house.ts'
import { sallyport, type RunningProcess } from './processes.ts'
import { zonesPolicy } from './zones-policy.ts'

// Two nodes with one server: an identity that runs on both, and policies that are applied at the same moment.

const idOf = (path: string) => `spiffe://example.org${path}`
const NODE = idOf('/node/web-2')
const uid = `unix:uid:${process.getuid?.() ?? 0}`

let house: House
let second: RunningProcess
let server: Server
let policy: PolicySource
const sources: X509Source[] = []
const decided: Decision[] = []
const inSecond = (name: string) => house.path(`second/${name}`)

beforeAll(async () => {
  house = await House.open()
  const token = await house.cli('token', 'create', '--spiffe-id', NODE)
  mkdirSync(inSecond('private'), { recursive: true, mode: 0o700 })
  writeFileSync(inSecond('private/join.txt'), token.stdout, { mode: 0o600 })
  const yaml =
    'dataDir: private/data\nruntimeDir: private/runtime\nsocket: api.sock\nadminSocket: private/admin.sock\nattestor: {joinFile: private/join.txt}\n'
  writeFileSync(inSecond('agent.yaml'), yaml)
  second = sallyport(['agent', 'run', '--config', inSecond('agent.yaml')])
  await second.printed(/"msg":"Agent ready"/)
  await house.register('/web/store')
  await house.register('/shop/orders')
  for (const path of ['/web/store', '/web/blog']) {
    await house.json('entry', 'create', '--spiffe-id', idOf(path), '--parent', NODE, '--selector', uid)
  }
  await apply(zonesPolicy('enforce'))
  const orders = await open('/shop/orders', house.endpoint)
  policy = await PolicySource.open({ endpoint: house.endpoint })
  server = createServer((_request, response) => response.end('served'))
  enforce(server, orders, {
    ...{ service: 'orders', policy, port: 8443 },
    onDecision: (decision) => decided.push(decision),
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
}, 120_000)

afterAll(async () => {
  for (const source of sources) await source.close()
  await policy?.close()
  server?.close()
  await second?.stop('SIGKILL')
  await house?.[Symbol.asyncDispose]()
})

async function open(path: string, endpoint: string): Promise<X509Source> {
  const source = await X509Source.open({ endpoint, picker: { spiffeId: idOf(path) } })
  sources.push(source)
  return source
}

async function apply(text: string, ...options: readonly string[]): Promise<void> {
  writeFileSync(house.path('policy.yaml'), text)
  await house.json('policy', 'apply', house.path('policy.yaml'), ...options)
}

async function eventually<T>(read: () => T | Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const giveUp = Date.now() + 120_000
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (Date.now() > giveUp) throw new Error(`did not come true: ${JSON.stringify(value)}`)
    await sleep(50)
  }
}

const isGiven = (source: X509Source): boolean => {
  try {
    source.current()
    return true
  } catch {
    return false
  }
}

/** The status of an answer; 0: it was not let in. */
async function call(source: TlsSource): Promise<number> {
  decided.splice(0)
  const to = { host: '127.0.0.1', port: (server.address() as AddressInfo).port }
  try {
    const { socket } = await connectTls(source, {
      ...{ to, server: exactly(idOf('/shop/orders')), alpnProtocols: ['http/1.1'] },
    })
    const headers = { host: 'orders', connection: 'close' }
    const sent = request({ createConnection: () => socket, path: '/v1/orders/1', headers })
    const answered = once(sent, 'response')
    sent.end()
    const [response] = (await answered) as [IncomingMessage]
    response.resume()
    return response.statusCode ?? 0
  } catch {
    return 0
  }
}

test('zones.md §5 one identity on two nodes: the quarantine of one of them covers it on both, and nobody else on the other', async () => {
  const endpoint = `unix:${inSecond('api.sock')}`
  const [one, other] = [await open('/web/store', house.endpoint), await open('/web/store', endpoint)]
  const blog = await open('/web/blog', endpoint)
  const orders = sources[0] as X509Source
  expect([await call(one), await call(other)]).toEqual([200, 200])
  const kept = [one.current(), other.current()]
  expect(kept[0]?.svid.chain[0].serialNumber).not.toEqual(kept[1]?.svid.chain[0].serialNumber)

  const { id } = await house.json<{ id: string }>(
    ...(['quarantine', 'add', '--node', NODE, '--reason', 'root kit'] as const),
  )
  // Peers cannot tell from where a key is used: it is stopped wherever it is, at both agents and at whoever enforces.
  await eventually(
    () => [one, other, blog].map(isGiven),
    (given) => !given.includes(true),
  )
  for (const identity of kept) {
    expect(await call({ current: () => identity })).toBe(0)
    await eventually(
      () => decided.map(({ code }) => code),
      (codes) => codes.includes('QUARANTINED'),
    )
  }
  expect(isGiven(orders)).toBe(true)

  await house.json('quarantine', 'rm', id)
  await eventually(
    () => [one, other, blog].map(isGiven),
    (given) => !given.includes(false),
  )
  await eventually(
    () => call(one),
    (status) => status === 200,
  )
  expect(await call(other)).toBe(200)
}, 360_000)

const reads = (revision: number) => zonesPolicy('enforce').replace('name: shop', `name: r${revision}`)
const readsNot = (revision: number) => reads(revision).replace(/ {2}- \{ id: web-orders.*\n/, '')

test('zones.md §5 two policies that are applied at the same moment: one after the other, and every peer ends with the later one', async () => {
  const store = sources.find((source) => source.current().svid.spiffeId.toString() === idOf('/web/store')) as X509Source
  for (let round = 0; round < 4; round += 1) {
    const [{ revision: base }] = await house.json<[{ revision: number }]>('policy', 'list')
    writeFileSync(house.path('a.yaml'), reads(2 * round))
    writeFileSync(house.path('b.yaml'), readsNot(2 * round + 1))
    const applying = ['a.yaml', 'b.yaml'].map((file) =>
      house.json<{ revision: { revision: number } }>('policy', 'apply', house.path(file), '--accept-loss'),
    )
    const [a, b] = (await Promise.all(applying)).map(({ revision }) => revision.revision) as [number, number]
    expect(new Set([a, b])).toEqual(new Set([base + 1, base + 2]))
    await eventually(
      () => policy.current().status.policyRevision,
      (revision) => revision === base + 2,
    )
    // Whichever came later holds, for as long as nobody applies another.
    const expected = a > b ? 200 : 403
    await eventually(
      () => call(store),
      (status) => status === expected,
    )
    expect(await call(store)).toBe(expected)
  }
}, 360_000)

test('zones.md §5 of two policies on the same base one is applied, and the other is told so', async () => {
  const [{ revision: base }] = await house.json<[{ revision: number }]>('policy', 'list')
  writeFileSync(house.path('a.yaml'), reads(100))
  writeFileSync(house.path('b.yaml'), readsNot(101))
  const finished = await Promise.all(
    ['a.yaml', 'b.yaml'].map((file) =>
      house.cli('policy', 'apply', house.path(file), '--accept-loss', '--base', String(base)),
    ),
  )
  expect(finished.filter(({ code }) => code === 0)).toHaveLength(1)
  const loser = finished.find(({ code }) => code !== 0)
  expect(loser?.stderr).toContain('POLICY_BASE_STALE')
  const [{ revision }] = await house.json<[{ revision: number }]>('policy', 'list')
  expect(revision).toBe(base + 1)
}, 60_000)
