import { once } from 'node:events'
import { connect as connectSocket, type AddressInfo } from 'node:net'
import { createServer, type TLSSocket } from 'node:tls'
import { beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { BrokerClient, type BrokerClientDeps } from '../../../src/broker/broker-client.ts'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { printJwks } from '../../../src/bundle/jwks.ts'
import { systemClock } from '../../../src/clock.ts'
import { SallyportError } from '../../../src/errors.ts'
import { memberOf } from '../../../src/id/matcher.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import { connectTls } from '../../../src/tls/connect-tls.ts'
import { peerOf } from '../../../src/tls/peer-of.ts'
import { tlsServer } from '../../../src/tls/tls-server.ts'
import { RpcError } from '../../../src/wire/status.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { heldSvid } from '../../fakes/test-source.ts'
import { svidMessageOf, x509MessageOf } from '../../fakes/workload-messages.ts'
import { silence, type Step } from '../../fakes/workload-api.ts'
import { ListeningSource } from './listening-source.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const start = new Date('2026-06-01T12:00:00Z')

let home: TestAuthority
let partner: TestAuthority
let web: TestSvid
let api: TestSvid
let self: X509Svid
let clock: FakeClock
let agent: ScriptedBroker
let refusals: Error[]

beforeAll(async () => {
  home = await TestAuthority.create({ now: start })
  partner = await TestAuthority.create({ trustDomain: 'partner.test', now: start })
  ;[web, api] = await Promise.all([home.issue('/web'), home.issue('/api')])
  self = await heldSvid(home, '/gateway')
})

beforeEach(() => {
  clock = new FakeClock(start)
  agent = new ScriptedBroker()
  refusals = []
})

function brokerWith(deps: Partial<BrokerClientDeps> = {}): BrokerClient {
  const source = new ListeningSource(self, home.bundle())
  const broker = new BrokerClient({
    ...{ transport: agent, clock, source, address: 'unix:/run/broker.sock', random: () => 0.5 },
    onRefused: (error) => refusals.push(error),
    pin: () => () => true,
    ...deps,
  })
  onTestFinished(() => broker.close())
  return broker
}

const message = (svid: TestSvid, foreign: Readonly<Record<string, Buffer>> = {}) =>
  x509MessageOf([svidMessageOf(svid, home)], foreign)
const withPartner = () => ({ 'spiffe://partner.test': partner.certificate.der })
const jwtBundles = () => {
  const bundle = bundleOf({ trustDomain: home.trustDomain, jwtAuthorities: [home.jwtAuthority] })
  return { bundles: { 'spiffe://example.org': Buffer.from(printJwks(bundle)) } }
}
const tokens = async (path = '/web') => ({
  svids: [{ spiffeId: `spiffe://example.org${path}`, svid: await home.issueJwt({ audience: 'x', path }), hint: '' }],
})

const notFound = new SallyportError('WORKLOAD_NOT_FOUND', 'Cannot find process 1: it has ended')
const notEntitled = new SallyportError('WORKLOAD_NOT_ENTITLED', 'no identity issued')
const refused = new SallyportError('BROKER_REFUSED', 'not a broker of this agent')

/** A step that comes when the test says so. */
function later() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const wait: Step = async (options) => Promise.race([promise, silence(options)])
  return { wait, come: async () => (resolve(), settled()) }
}

describe('a call', () => {
  test('BE-04 carries the header once, and BA-01 one reference, whatever its method', async () => {
    agent.script(1, 'subscribeToX509Svid', [message(web), silence])
    agent.script(1, 'subscribeToJwtBundles', [jwtBundles(), silence], [jwtBundles(), silence])
    agent.script(1, 'subscribeToX509Bundles', [{ bundles: { 'spiffe://example.org': home.certificate.der } }, silence])
    agent.script(1, 'fetchJwtSvid', [await tokens()])
    const workload = brokerWith().workload({ pid: 1 })
    await workload.x509Source()
    await workload.bundleSource()
    const source = await workload.jwtSource()
    expect((await source.fetch('x')).spiffeId.path).toBe('/web')
    expect(new Set(agent.calls.map(({ method }) => method)).size).toBe(4)
    for (const { options, workload: name } of agent.calls) {
      expect(options.metadata).toEqual({ 'broker.spiffe.io': 'true' })
      expect(name).toBe('1')
    }
  })

  test('names objects of Kubernetes as they are written', async () => {
    agent.script('checkout', 'subscribeToX509Svid', [message(web), silence])
    const kubernetes = { plural: 'deployments', group: 'apps', namespace: 'shop', name: 'checkout' }
    const source = await brokerWith().workload({ kubernetes }).x509Source()
    expect(source.current().svid.spiffeId.path).toBe('/web')
  })

  test.for([
    { pid: 0 },
    { pid: -1 },
    { pid: 1.5 },
    { pid: 2 ** 31 },
    { kubernetes: { plural: 'pods', group: 'core' } },
  ])('refuses to refer to %j', (reference) => {
    expect(() => brokerWith().workload(reference)).toThrow(TypeError)
  })
})

describe('isolation', () => {
  test('BA-16 what is held for one workload is not seen in another: SVIDs, foreign bundles, tokens', async () => {
    agent.script(1, 'subscribeToX509Svid', [message(web, withPartner()), silence])
    agent.script(2, 'subscribeToX509Svid', [message(api), silence])
    agent.script(1, 'subscribeToJwtBundles', [jwtBundles(), silence])
    agent.script(2, 'subscribeToJwtBundles', [jwtBundles(), silence])
    agent.script(1, 'fetchJwtSvid', [await tokens('/web')])
    agent.script(2, 'fetchJwtSvid', [await tokens('/api')])
    const broker = brokerWith()
    const [first, second] = [broker.workload({ pid: 1 }), broker.workload({ pid: 2 })]
    const sources = [await first.x509Source(), await second.x509Source()] as const
    expect(sources.map((source) => source.svids.map(({ spiffeId }) => spiffeId.path))).toEqual([['/web'], ['/api']])
    expect(sources.map((source) => source.current().bundles.values().length)).toEqual([2, 1])
    const paths = await Promise.all(
      [first, second].map(async (one) => (await (await one.jwtSource()).fetch('x')).spiffeId.path),
    )
    expect(paths).toEqual(['/web', '/api'])
  })

  test('BA-17 BA-22 a TLS context has one workload’s identity, and trusts whom that workload trusts', async () => {
    const [mine, theirs] = await Promise.all([
      TestAuthority.create(),
      TestAuthority.create({ trustDomain: 'partner.test' }),
    ])
    const svids = await Promise.all([mine.issue('/web'), mine.issue('/api')])
    const foreign = { 'spiffe://partner.test': theirs.certificate.der }
    agent.script(1, 'subscribeToX509Svid', [x509MessageOf([svidMessageOf(svids[0]!, mine)], foreign), silence])
    agent.script(2, 'subscribeToX509Svid', [x509MessageOf([svidMessageOf(svids[1]!, mine)]), silence])
    const broker = brokerWith({ clock: systemClock })
    const [open, closed] = [
      await broker.workload({ pid: 1 }).x509Source(),
      await broker.workload({ pid: 2 }).x509Source(),
    ]
    const guest = new ListeningSource(await heldSvid(theirs, '/guest'), theirs.bundle(), mine.bundle())
    const seen: string[] = []
    const listen = async (source: typeof open): Promise<number> => {
      const server = createServer(tlsServer(source, { allow: memberOf('partner.test') }), (socket: TLSSocket) => {
        seen.push(`${peerOf(socket).id}`)
        socket.end('hello')
      })
      server.on('tlsClientError', () => undefined)
      server.listen(0, '127.0.0.1')
      onTestFinished(() => void server.close())
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    }
    const visit = async (port: number) => {
      const connection = connectSocket({ port, host: '127.0.0.1' })
      const { socket, peer } = await connectTls(guest, { to: { connection }, server: memberOf('example.org') })
      const greeting = await new Promise<string>((resolve) => {
        socket.once('data', (bytes: Buffer) => resolve(bytes.toString()))
        socket.on('error', () => undefined).once('close', () => resolve(''))
      })
      socket.destroy()
      return [peer.id.path, greeting]
    }
    expect(await visit(await listen(open))).toEqual(['/web', 'hello'])
    // Whether the refusal comes before or after the handshake of the client has ended is the engine's choice.
    expect(await visit(await listen(closed)).catch(() => ['/api', ''])).toEqual(['/api', ''])
    expect(seen).toEqual(['spiffe://partner.test/guest'])
  })

  test('BA-22 tokens are verified with the JWT bundles of the workload, and X.509 bundles verify none', async () => {
    agent.script(1, 'subscribeToX509Svid', [message(web), silence])
    agent.script(1, 'subscribeToJwtBundles', [jwtBundles(), silence])
    agent.script(2, 'subscribeToJwtBundles', [
      { bundles: { 'spiffe://partner.test': Buffer.from('{"keys":[]}') } },
      silence,
    ])
    const broker = brokerWith()
    const token = await home.issueJwt({ audience: 'x', path: '/web' })
    const [first, second] = [
      await broker.workload({ pid: 1 }).jwtSource(),
      await broker.workload({ pid: 2 }).jwtSource(),
    ]
    expect((await first.verify(token, 'x')).spiffeId.path).toBe('/web')
    await expect(second.verify(token, 'x')).rejects.toThrowCode('BUNDLE_UNKNOWN')
    const x509 = await broker
      .workload({ pid: 1 })
      .x509Source()
      .catch(() => undefined)
    expect(x509?.current().bundles.get('example.org')?.jwtAuthorities ?? []).toEqual([])
  })

  test('BA-28 PERMISSION_DENIED drops what is held for that workload alone', async () => {
    const end = later()
    agent.script(1, 'subscribeToX509Svid', [message(web), end.wait, notEntitled], [message(web), silence])
    agent.script(2, 'subscribeToX509Svid', [message(api), silence])
    const broker = brokerWith()
    const [first, second] = [
      await broker.workload({ pid: 1 }).x509Source(),
      await broker.workload({ pid: 2 }).x509Source(),
    ]
    await end.come()
    expect(() => first.current()).toThrowCode('IDENTITY_NOT_HELD')
    expect(first.health).toMatchObject({ status: 'withdrawn', error: { code: 'WORKLOAD_NOT_ENTITLED' } })
    expect(second.current().svid.spiffeId.path).toBe('/api')
    expect(refusals).toEqual([])
  })

  test('BA-18 the end of one workload leaves the others and the connection alone', async () => {
    const end = later()
    agent.script(1, 'subscribeToX509Svid', [message(web), end.wait, notFound])
    agent.script(2, 'subscribeToX509Svid', [message(api), silence])
    const broker = brokerWith()
    const [first, second] = [broker.workload({ pid: 1 }), broker.workload({ pid: 2 })]
    const sources = [await first.x509Source(), await second.x509Source()] as const
    await end.come()
    expect([first.ended.aborted, second.ended.aborted, agent.closed]).toEqual([true, false, false])
    expect(sources[1].health.status).toBe('current')
  })
})

describe('the end of a workload', () => {
  test('BA-27 NOT_FOUND of a process drops everything that is held for it, on every stream, and nothing is asked again', async () => {
    const end = later()
    agent.script(1, 'subscribeToX509Svid', [message(web), end.wait, notFound])
    agent.script(1, 'subscribeToJwtBundles', [jwtBundles(), silence], [jwtBundles(), silence])
    agent.script(1, 'subscribeToX509Bundles', [{ bundles: { 'spiffe://example.org': home.certificate.der } }, silence])
    agent.script(1, 'fetchJwtSvid', [await tokens()])
    const workload = brokerWith().workload({ pid: 1 })
    const [x509, jwt, bundles] = [
      await workload.x509Source(),
      await workload.jwtSource(),
      await workload.bundleSource(),
    ]
    await jwt.fetch('x')
    await end.come()
    expect(workload.ended.reason).toThrowCode('WORKLOAD_NOT_FOUND')
    expect(() => x509.current()).toThrowCode('IDENTITY_NOT_HELD')
    expect(x509.svids).toEqual([])
    expect(bundles.current().values()).toEqual([])
    expect(jwt.bundles.values()).toEqual([])
    await expect(jwt.fetch('x')).rejects.toThrowCode('WORKLOAD_NOT_FOUND')
    const before = agent.calls.length
    await clock.advance(3_600_000)
    expect(agent.calls).toHaveLength(before)
    await expect(workload.x509Source()).rejects.toThrowCode('WORKLOAD_NOT_FOUND')
  })

  test('BA-27 BA-16 after a lost connection, another process of the same number is not taken for the first', async () => {
    const end = later()
    let isSame = true
    agent.script(
      1,
      'subscribeToX509Svid',
      [message(web), end.wait, new RpcError('UNAVAILABLE', 'restarting')],
      [message(api), silence],
    )
    const workload = brokerWith({ pin: () => () => isSame }).workload({ pid: 1 })
    const source = await workload.x509Source()
    isSame = false
    await end.come()
    await clock.advance(60_000)
    expect(() => source.current()).toThrowCode('IDENTITY_NOT_HELD')
    expect(workload.ended.reason).toThrowCode('WORKLOAD_NOT_FOUND', 'process 1')
    expect(agent.count(1, 'subscribeToX509Svid')).toBe(1)
  })

  test('BA-27 an answer that comes when the process has ended is not taken', async () => {
    const come = later()
    let isSame = true
    agent.script(1, 'subscribeToX509Svid', [come.wait, message(api), silence])
    agent.script(1, 'fetchJwtSvid', [come.wait, await tokens('/api')])
    const workload = brokerWith({ pin: () => () => isSame }).workload({ pid: 1 })
    const opening = workload.x509Source()
    const fetching = workload.fetchJwtSvids({ audience: 'x' })
    const both = Promise.allSettled([opening, fetching])
    await settled()
    isSame = false
    await come.come()
    for (const outcome of await both)
      expect((outcome as PromiseRejectedResult).reason).toThrowCode('WORKLOAD_NOT_FOUND')
  })

  test('BA-27 BA-30 an object that is gone is dropped too, and asked for again with growing pauses', async () => {
    const end = later()
    const reference = { kubernetes: { plural: 'pods', group: 'core', uid: 'a1b2c3d4-e5f6-7890-abcd-ef1234567890' } }
    const name = reference.kubernetes.uid
    agent.script(name, 'subscribeToX509Svid', [message(web), end.wait, notFound], [notFound], [message(api), silence])
    const workload = brokerWith().workload(reference)
    const source = await workload.x509Source()
    await end.come()
    expect(() => source.current()).toThrowCode('IDENTITY_NOT_HELD')
    await clock.advance(1_000)
    expect(agent.count(name, 'subscribeToX509Svid')).toBe(2)
    await clock.advance(2_000)
    expect(source.current().svid.spiffeId.path).toBe('/api')
    expect(workload.ended.aborted).toBe(false)
  })

  test('a handle that is closed holds nothing, nor does one of a client that is', async () => {
    agent.script(1, 'subscribeToX509Svid', [message(web), silence])
    agent.script(2, 'subscribeToX509Svid', [message(api), silence])
    const broker = brokerWith()
    const workload = broker.workload({ pid: 1 })
    const sources = [await workload.x509Source(), await broker.workload({ pid: 2 }).x509Source()] as const
    await workload.close()
    await settled()
    expect(() => sources[0].current()).toThrowCode('IDENTITY_NOT_HELD')
    expect(sources[1].current().svid.spiffeId.path).toBe('/api')
    await broker.close()
    await settled()
    expect(() => sources[1].current()).toThrowCode('IDENTITY_NOT_HELD')
    expect(agent.closed).toBe(true)
  })
})

describe('answers', () => {
  test.for(['INVALID_ARGUMENT', 'UNIMPLEMENTED'] as const)(
    'BE-15 %s is reported, and not asked again',
    async (status) => {
      agent.script(1, 'subscribeToX509Svid', [new RpcError(status, 'no')])
      const opening = brokerWith().workload({ pid: 1 }).x509Source()
      await expect(opening).rejects.toMatchObject({ row: { grpc: status } })
      await clock.advance(3_600_000)
      expect(agent.calls).toHaveLength(1)
    },
  )

  test('BE-15 BA-18 UNAVAILABLE and a lost connection are asked again with growing pauses, and what is held stays', async () => {
    const end = later()
    const lost = new SallyportError('UNREACHABLE', 'The connection was lost')
    agent.script(
      1,
      'subscribeToX509Svid',
      [message(web), end.wait, lost],
      [new RpcError('UNAVAILABLE', 'x')],
      [lost],
      [message(api), silence],
    )
    const source = await brokerWith().workload({ pid: 1 }).x509Source()
    await end.come()
    const counts = []
    for (const ms of [999, 1, 1_999, 1, 2_999, 1]) {
      await clock.advance(ms)
      counts.push(agent.calls.length)
      if (agent.calls.length < 4) expect(source.current().svid.spiffeId.path).toBe('/web')
    }
    expect(counts).toEqual([1, 2, 2, 3, 3, 4])
    expect(source.current().svid.spiffeId.path).toBe('/api')
  })

  test('BE-15 UNAUTHENTICATED waits for another SVID of the broker, each time, and is asked again then', async () => {
    const source = new ListeningSource(self, home.bundle())
    const unproven = new SallyportError('CALLER_UNPROVEN', 'expired')
    agent.script(1, 'subscribeToX509Svid', [unproven], [unproven], [message(web), silence])
    const opening = brokerWith({ source }).workload({ pid: 1 }).x509Source({ timeoutMs: Infinity })
    await clock.advance(600_000)
    // The source is told something, and the SVID is the same.
    source.use(self, home.bundle(), partner.bundle())
    await clock.advance(600_000)
    expect(agent.calls).toHaveLength(1)
    source.use(await heldSvid(home, '/gateway'))
    await clock.advance(600_000)
    expect(agent.calls).toHaveLength(2)
    source.use(await heldSvid(home, '/gateway'))
    await clock.advance(2_000)
    expect((await opening).current().svid.spiffeId.path).toBe('/web')
  })

  test('BE-15 a broker that has renewed its SVID meanwhile asks again at once', async () => {
    const source = new ListeningSource(self, home.bundle())
    const end = later()
    agent.script(
      1,
      'subscribeToX509Svid',
      [message(web), end.wait, new SallyportError('CERTIFICATE_EXPIRED', 'x')],
      [message(api), silence],
    )
    const opened = await brokerWith({ source }).workload({ pid: 1 }).x509Source()
    await clock.advance(10_000)
    source.use(await heldSvid(home, '/gateway'))
    await end.come()
    expect(opened.current().svid.spiffeId.path).toBe('/api')
  })

  test('BE-16 a broker that is refused says so loudly, drops what it held, and asks again after 30, 60, 90 s', async () => {
    const end = later()
    agent.script(
      1,
      'subscribeToX509Svid',
      [message(web), end.wait, refused],
      [refused],
      [refused],
      [message(api), silence],
    )
    const source = await brokerWith().workload({ pid: 1 }).x509Source()
    await end.come()
    expect(() => source.current()).toThrowCode('IDENTITY_NOT_HELD')
    const counts = []
    for (const ms of [29_999, 1, 59_999, 1, 89_999, 1]) {
      await clock.advance(ms)
      counts.push(agent.calls.length)
    }
    expect(counts).toEqual([1, 2, 2, 3, 3, 4])
    expect(refusals).toHaveLength(3)
    for (const refusal of refusals) expect(refusal).toThrowCode('BROKER_REFUSED')
    expect(source.current().svid.spiffeId.path).toBe('/api')
  })

  test('BA-30 a workload without an entry is asked for again, soon', async () => {
    agent.script(1, 'subscribeToX509Svid', [notEntitled], [message(web), silence])
    const opening = brokerWith().workload({ pid: 1 }).x509Source()
    await clock.advance(1_000)
    expect((await opening).current().svid.spiffeId.path).toBe('/web')
    expect(refusals).toEqual([])
  })

  test.for([
    ['NOT_FOUND', 'WORKLOAD_NOT_FOUND'],
    ['PERMISSION_DENIED', 'BROKER_REFUSED'],
    ['UNAUTHENTICATED', 'CALLER_UNPROVEN'],
    ['INVALID_ARGUMENT', 'REQUEST_INVALID'],
    ['UNAVAILABLE', 'IDENTITY_PENDING'],
    ['UNKNOWN', 'WORKLOAD_API_FAILED'],
  ] as const)('BA-24 a bare %s is understood without details', async ([status, code]) => {
    agent.script(1, 'fetchJwtSvid', [new RpcError(status, 'bare')])
    const fetching = brokerWith().workload({ pid: 1 }).fetchJwtSvids({ audience: 'x' })
    await expect(fetching).rejects.toThrowCode(code, 'bare')
  })

  test('BA-21 BA-20 an answer with an empty mandatory field changes nothing, and the next good one replaces the whole', async () => {
    const [bad, good] = [later(), later()]
    const withoutKey = x509MessageOf([svidMessageOf(api, home, { x509SvidKey: Buffer.alloc(0) })])
    agent.script(1, 'subscribeToX509Svid', [
      message(web, withPartner()),
      bad.wait,
      withoutKey,
      x509MessageOf([]),
      good.wait,
      message(api),
      silence,
    ])
    agent.script(
      1,
      'fetchJwtSvid',
      [{ svids: [] }],
      [{ svids: [{ spiffeId: 'spiffe://example.org/web', svid: '', hint: '' }] }],
    )
    const workload = brokerWith().workload({ pid: 1 })
    const source = await workload.x509Source()
    await bad.come()
    expect(source.health).toMatchObject({ status: 'degraded', error: { code: 'WORKLOAD_RESPONSE_INVALID' } })
    expect(source.current().svid.spiffeId.path).toBe('/web')
    await good.come()
    expect(source.current().svid.spiffeId.path).toBe('/api')
    expect(source.current().bundles.get('partner.test')).toBeUndefined()
    for (let count = 0; count < 2; count += 1) {
      await expect(workload.fetchJwtSvids({ audience: 'x' })).rejects.toThrowCode('WORKLOAD_RESPONSE_INVALID')
    }
  })

  test('BA-29 the default identity is the first, and another is found by its hint', async () => {
    const both = x509MessageOf([svidMessageOf(web, home, { hint: 'in' }), svidMessageOf(api, home, { hint: 'out' })])
    agent.script(1, 'subscribeToX509Svid', [both, silence], [both, silence])
    const workload = brokerWith().workload({ pid: 1 })
    expect((await workload.x509Source()).current().svid.spiffeId.path).toBe('/web')
    expect((await workload.x509Source({ picker: { hint: 'out' } })).current().svid.spiffeId.path).toBe('/api')
  })

  test('a source that gets nothing in time says what the agent has answered, and what helps there', async () => {
    agent.script(1, 'subscribeToX509Svid', ...Array.from({ length: 9 }, () => [notEntitled]))
    const opening = brokerWith().workload({ pid: 1 }).x509Source({ timeoutMs: 5_000 })
    const outcome = opening.catch((error: unknown) => error)
    await clock.advance(5_000)
    expect(await outcome).toThrowCode('SOURCE_TIMEOUT', 'no identity issued')
    expect((await outcome) as SallyportError).toMatchObject({ hint: notEntitled.hint })
  })

  test('a broker whose own source is closed stops asking', async () => {
    const source = new ListeningSource(self, home.bundle())
    const closed = new SallyportError('SOURCE_CLOSED', 'Cannot use the X.509 source: it is closed')
    agent.script(1, 'subscribeToX509Svid', [closed])
    await expect(brokerWith({ source }).workload({ pid: 1 }).x509Source()).rejects.toThrowCode('SOURCE_CLOSED')
  })
})
