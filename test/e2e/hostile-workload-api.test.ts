import { createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SallyportError } from '../../src/errors.ts'
import { BundleSource, JwtSource, X509Source } from '../../src/index.ts'
import { TestAuthority, type TestSvid } from '../../src/testing/test-authority.ts'
import { svidMessageOf, x509MessageOf } from '../fakes/workload-messages.ts'
import { type Act, begin, beginWith, HostileAgent, send, sendBytes, status } from './hostile-agent.ts'

// Whatever a Workload API sends, a service gets a typed error or keeps the last good value. Nothing here may end in an
// unhandled rejection or exception: vitest fails on either.

const HUGE_BYTES = 100 * 1024 * 1024

let home: TestAuthority
let partner: TestAuthority
let web: TestSvid
let renewed: TestSvid
let other: TestSvid
let abroad: TestSvid
const surprises: unknown[] = []
const surprised = (error: unknown): void => void surprises.push(error)

beforeAll(async () => {
  ;[home, partner] = await Promise.all([TestAuthority.create(), TestAuthority.create({ trustDomain: 'partner.test' })])
  ;[web, renewed, other] = await Promise.all([home.issue('/web'), home.issue('/web'), home.issue('/other')])
  abroad = await partner.issue('/web')
  process.on('unhandledRejection', surprised)
})

afterAll(() => {
  process.off('unhandledRejection', surprised)
  expect(surprises).toEqual([])
})

const good = (svid: TestSvid): Act => send(x509MessageOf([svidMessageOf(svid, home)]))
const bad = (changes: object): Act => send(x509MessageOf([svidMessageOf(web, home, changes)]))
const pkcs8 = ({ keyPair }: TestSvid): Buffer => keyPair.privateKey.export({ type: 'pkcs8', format: 'der' })

/** Announces a message of this size and sends it as fast as it is taken. */
const huge: Act = (stream) => {
  begin(stream)
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(HUGE_BYTES, 1)
  stream.write(prefix)
  const chunk = Buffer.alloc(1024 * 1024)
  const more = (): void => {
    while (!stream.closed && stream.write(chunk)) continue
  }
  stream.on('drain', more)
  more()
}

/** By name: what it does, and what the source says about it. */
const acts: readonly (readonly [string, () => Act, string])[] = [
  ['an empty list of SVIDs', () => send(x509MessageOf([])), 'WORKLOAD_RESPONSE_INVALID'],
  ['a key that is not that of the certificate', () => bad({ x509SvidKey: pkcs8(other) }), 'X509_SVID_INVALID'],
  ['a key that is none', () => bad({ x509SvidKey: Buffer.from('garbage') }), 'X509_SVID_INVALID'],
  ['garbage for a certificate', () => bad({ x509Svid: Buffer.alloc(1000, 0x30) }), 'CERTIFICATE_INVALID'],
  ['garbage for a bundle', () => bad({ bundle: Buffer.alloc(1000, 7) }), 'CERTIFICATE_INVALID'],
  ['an SVID of another name', () => bad({ spiffeId: 'spiffe://partner.test/web' }), 'WORKLOAD_RESPONSE_INVALID'],
  [
    'a bundle of an impossible trust domain',
    () => send(x509MessageOf([svidMessageOf(web, home)], { 'spiffe://Not/One': home.certificate.der })),
    'TRUST_DOMAIN_INVALID',
  ],
  ['bytes that are no message', () => sendBytes(Buffer.from([0x0a, 0xff, 0xff, 0xff])), 'PROTOCOL_INVALID'],
  ['a prefix that is not gRPC', () => sendBytes(Buffer.from('hello'), 7), 'PROTOCOL_INVALID'],
  ['a message of 100 MB', () => huge, 'MESSAGE_TOO_LARGE'],
  ['an unknown compression', () => sendBytes(Buffer.from('hello'), 1), 'PROTOCOL_INVALID'],
  ['a reset of the call', () => (stream) => stream.close(2), 'UNREACHABLE'],
  ['a connection that is dropped', () => (stream) => stream.session?.destroy(), 'UNREACHABLE'],
]

const eventually = (check: () => void): Promise<void> =>
  expect.poll(() => (check(), true), { timeout: 8_000 }).toBe(true)

describe.concurrent('an open source', () => {
  test.for(acts)('keeps the last good value at %s, says so, and recovers', async ([, act, code]) => {
    await using agent = await HostileAgent.listen(good(web))
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    const before = source.current()
    agent.act = act()
    agent.onOpen(act())
    await expect.poll(() => source.health.status).toBe('degraded')
    expect((source.health.error as SallyportError).code).toBe(code)
    expect(source.current()).toBe(before)
    agent.act = good(renewed)
    agent.onOpen(good(renewed))
    await eventually(() => expect(source.current().svid.chain[0].der).toEqual(renewed.certificate.der))
    expect(source.health).toMatchObject({ status: 'current', error: undefined })
  })

  test('is not taken in by a partner that puts itself in the place of the own trust domain', async () => {
    const message = x509MessageOf([svidMessageOf(web, home)], { 'spiffe://example.org': partner.certificate.der })
    await using agent = await HostileAgent.listen(send(message))
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    const authorities = source.current().bundles.get('example.org')?.x509Authorities
    expect(authorities?.map(({ certificate }) => certificate.der)).toEqual([home.certificate.der])
  })

  test('takes SVIDs of several trust domains, each with its own bundle', async () => {
    const message = x509MessageOf([svidMessageOf(web, home), svidMessageOf(abroad, partner)])
    await using agent = await HostileAgent.listen(send(message))
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    const { bundles } = source.current()
    expect(bundles.get('partner.test')?.x509Authorities[0]?.certificate.der).toEqual(partner.certificate.der)
    expect(bundles.get('example.org')?.x509Authorities).toHaveLength(1)
  })

  test('a stream that goes silent keeps what it has, and closing does not wait for it', async () => {
    await using agent = await HostileAgent.listen(good(web))
    const source = await X509Source.open({ endpoint: agent.endpoint })
    agent.act = begin
    agent.hangUp()
    await expect.poll(() => agent.connections, { timeout: 5_000 }).toBe(2)
    expect(source.health.status).toBe('degraded')
    expect(source.current().svid.spiffeId.path).toBe('/web')
    const startedMs = performance.now()
    await source.close()
    expect(performance.now() - startedMs).toBeLessThan(1_000)
  })

  test('WE-20: a connection that flaps is tried less and less often, and costs nothing else', async () => {
    let rounds = 0
    await using agent = await HostileAgent.listen((stream) => {
      if (rounds++ === 0) return good(web)(stream)
      good(renewed)(stream)
      setImmediate(() => stream.session?.destroy())
    })
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    agent.hangUp()
    await new Promise((resolve) => setTimeout(resolve, 6_500))
    // After pauses of 1, 1 and more seconds, whether a message came or not.
    expect(agent.calls).toBeGreaterThan(2)
    expect(agent.calls).toBeLessThan(9)
    expect(source.current().svid.spiffeId.path).toBe('/web')
  })
})

describe.concurrent('opening a source', () => {
  test.for(acts)('fails in time at %s', async ([, act, code]) => {
    await using agent = await HostileAgent.listen(act())
    const failure: unknown = await X509Source.open({ endpoint: agent.endpoint, timeoutMs: 700 }).catch((error) => error)
    expect(failure).toBeInstanceOf(SallyportError)
    const { cause = failure } = failure as SallyportError
    expect(cause).toMatchObject({ code })
  })

  test.for<readonly [string, Act]>([
    ['never answers', () => {}],
    ['begins and says nothing', begin],
  ])('fails in time when the agent %s', async ([, act]) => {
    await using agent = await HostileAgent.listen(act)
    const options = { endpoint: agent.endpoint, timeoutMs: 300 }
    const openings = [X509Source.open(options), JwtSource.open(options), BundleSource.open(options)]
    for (const outcome of await Promise.allSettled(openings)) {
      expect((outcome as PromiseRejectedResult).reason).toThrowCode('SOURCE_TIMEOUT', 'within 300 ms')
    }
  })

  test('a compressed bomb stops at the limit', async () => {
    const bomb = gzipSync(Buffer.alloc(HUGE_BYTES))
    await using agent = await HostileAgent.listen((stream) => {
      beginWith(stream, { 'grpc-encoding': 'gzip' })
      sendBytes(bomb, 1)(stream)
    })
    const failure: unknown = await X509Source.open({ endpoint: agent.endpoint, timeoutMs: 700 }).catch((error) => error)
    expect(failure).toMatchObject({ code: 'SOURCE_TIMEOUT', cause: { code: 'MESSAGE_TOO_LARGE' } })
  })

  test.for<readonly [string, Act, string]>([
    ['a status that is no number', status('many'), 'UNREACHABLE'],
    ['a status that nobody knows', status('99', 'x'), 'WORKLOAD_API_FAILED'],
    ['a refusal', status('7', 'no identity issued'), 'NO_IDENTITY'],
    ['a web page', (stream) => stream.respond({ ':status': 503 }, { endStream: true }), 'IDENTITY_PENDING'],
  ])('says what happened at %s', async ([, act, code]) => {
    await using agent = await HostileAgent.listen(act)
    const failure: unknown = await X509Source.open({ endpoint: agent.endpoint, timeoutMs: 500 }).catch((error) => error)
    expect(failure).toMatchObject({ code: 'SOURCE_TIMEOUT', cause: { code } })
  })

  test('what does not speak HTTP/2 is not a Workload API', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const failure: unknown = await X509Source.open({ endpoint: `tcp://127.0.0.1:${port}`, timeoutMs: 500 }).catch(
      (error) => error,
    )
    expect(failure).toMatchObject({ code: 'SOURCE_TIMEOUT', cause: { code: 'UNREACHABLE' } })
    server.close()
  })

  test('no socket at all: says how to get one', async () => {
    await using agent = await HostileAgent.listen(begin)
    const failure: unknown = await X509Source.open({ endpoint: `${agent.endpoint}.other`, timeoutMs: 100 }).catch(
      (error) => error,
    )
    expect(failure).toMatchObject({ code: 'SOURCE_TIMEOUT', hint: expect.stringContaining('sallyport agent run') })
  })
})
