import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BrokerClient } from '../../../src/broker/broker-client.ts'
import { pinProcess } from '../../../src/broker/process-pin.ts'
import { exactly, memberOf, type IdMatcher } from '../../../src/id/matcher.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import type { Call } from '../../../src/wire/call.ts'
import type { TlsIdentity } from '../../../src/wire/tls-identity.ts'
import { implement } from '../../../src/wire/implementation.ts'
import { apiService } from '../../../src/wire/messages/spiffe-broker.ts'
import { serve, type WireServer } from '../../../src/wire/serve.ts'
import { heldSvid } from '../../fakes/test-source.ts'
import { svidMessageOf, x509MessageOf } from '../../fakes/workload-messages.ts'
import { temporaryFolder, until } from '../wire/sockets.ts'
import { ListeningSource } from './listening-source.ts'
import { notLinux, testUnless } from '../../unless.ts'

interface Endpoint {
  readonly server: WireServer
  readonly socket: string
  readonly port: number
  readonly seen: Call[]
}

/** An endpoint on a real socket and a real port, that gives everybody the same SVID. */
async function endpoint(authority: TestAuthority, path = '/spire/agent/1'): Promise<Endpoint> {
  const svid = await authority.issue('/web')
  const seen: Call[] = []
  const api = implement(apiService, {
    async *subscribeToX509Svid(_request, { signal }) {
      yield x509MessageOf([svidMessageOf(svid, authority)])
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    },
  })
  const server = serve({ implementations: [api], before: async (call) => void seen.push(call) })
  const { chain, keyPair } = await authority.issue(path)
  const identity: TlsIdentity = { chain: chain.map(({ der }) => der), privateKey: keyPair.privateKey }
  const options = { credentials: () => identity, requireCertificate: true }
  const socket = join(temporaryFolder(), 'b.sock')
  await server.listenTls({ unix: socket, mode: 0o600 }, options)
  const { port } = await server.listenTls({ host: '127.0.0.1', port: 0 }, options)
  onTestFinished(() => server.drain(0))
  return { server, socket, port, seen }
}

const agentOf = exactly('spiffe://example.org/spire/agent/1')

async function brokerAt(address: string | undefined, source: ListeningSource, server: IdMatcher = agentOf) {
  const broker = await BrokerClient.open({ address, source, server })
  onTestFinished(() => broker.close())
  return broker
}

const presentedIn = ({ seen }: Endpoint) =>
  seen.map(({ connection }) => (connection.transport === 'tls' ? connection.presentedChain?.[0] : undefined))

describe('BrokerClient.open()', () => {
  test('BE-02 BE-12 connects over a unix socket and over TCP, to an address or a name', async () => {
    const authority = await TestAuthority.create()
    const { socket, port } = await endpoint(authority)
    const source = new ListeningSource(await heldSvid(authority, '/gateway'), authority.bundle())
    for (const address of [`unix://${socket}`, `tcp://127.0.0.1:${port}`, `tcp://localhost:${port}`]) {
      const broker = await brokerAt(address, source)
      const opened = await broker.workload({ pid: process.pid }).x509Source()
      expect(opened.current().svid.spiffeId.path).toBe('/web')
    }
  })

  test.for([
    'tcp://127.0.0.1:8000/foo',
    'tcp://broker.example.com',
    'tcp://broker.example.com:0',
    'tcp://broker.example.com:8443?x',
    'tcp://u@broker.example.com:8443',
    'tcp://-broker.example.com:8443',
    'tcp://broker..example.com:8443',
    'tcp://127.0.0.256:8000',
    'tcp://[broker.example.com]:8443',
    'unix://host/x',
    'unix:///x?y',
    'unix:///x#y',
    'http://127.0.0.1:8000',
  ])('BE-12 refuses the address %s', async (address) => {
    const authority = await TestAuthority.create()
    const source = new ListeningSource(await heldSvid(authority, '/gateway'), authority.bundle())
    await expect(brokerAt(address, source)).rejects.toThrowCode('ENDPOINT_INVALID', 'broker endpoint')
  })

  test('BE-11 what is configured wins over the environment, and neither is a clear error', async () => {
    const authority = await TestAuthority.create()
    const { socket } = await endpoint(authority)
    const source = new ListeningSource(await heldSvid(authority, '/gateway'), authority.bundle())
    const before = process.env['SPIFFE_BROKER_SOCKET']
    onTestFinished(() => {
      if (before === undefined) delete process.env['SPIFFE_BROKER_SOCKET']
      else process.env['SPIFFE_BROKER_SOCKET'] = before
    })
    delete process.env['SPIFFE_BROKER_SOCKET']
    await expect(brokerAt(undefined, source)).rejects.toThrowCode('ENDPOINT_INVALID', 'SPIFFE_BROKER_SOCKET is not set')
    process.env['SPIFFE_BROKER_SOCKET'] = 'unix:///nowhere/b.sock'
    const configured = await brokerAt(`unix:${socket}`, source)
    expect((await configured.workload({ pid: process.pid }).x509Source()).svids).toHaveLength(1)
    process.env['SPIFFE_BROKER_SOCKET'] = `unix:${socket}`
    const found = await brokerAt(undefined, source)
    expect((await found.workload({ pid: process.pid }).x509Source()).svids).toHaveLength(1)
  })

  test('a promise of a source is none', async () => {
    const source = Promise.resolve() as never
    await expect(BrokerClient.open({ address: 'unix:/x', source, server: agentOf })).rejects.toThrow(TypeError)
  })
})

describe('the connection', () => {
  test('BE-09 a server that is somebody else of the same trust domain, or of an unknown one, is told nothing', async () => {
    const [authority, foreign] = await Promise.all([TestAuthority.create(), TestAuthority.create()])
    const source = new ListeningSource(await heldSvid(authority, '/gateway'), authority.bundle())
    for (const house of [await endpoint(authority, '/web'), await endpoint(foreign)]) {
      const broker = await brokerAt(`unix:${house.socket}`, source)
      const fetching = broker.workload({ pid: process.pid }).fetchJwtSvids({ audience: 'x' })
      await expect(fetching).rejects.toThrowCode('BROKER_ENDPOINT_UNTRUSTED', house.socket)
      expect(house.seen).toEqual([])
    }
  })

  test('BE-09 the bundle that the server is verified with is that of the moment', async () => {
    const [before, after] = await Promise.all([TestAuthority.create(), TestAuthority.create()])
    const house = await endpoint(after)
    const source = new ListeningSource(await heldSvid(before, '/gateway'), before.bundle())
    const broker = await brokerAt(`unix:${house.socket}`, source, memberOf('example.org'))
    const opening = broker.workload({ pid: process.pid }).x509Source()
    source.use(await heldSvid(after, '/gateway'), after.bundle())
    expect((await opening).svids).toHaveLength(1)
  })

  test('BE-10 BA-18 one connection carries the calls for all workloads, and the next call after a rotation shows the new SVID', async () => {
    const authority = await TestAuthority.create()
    const house = await endpoint(authority)
    const [first, second] = [await heldSvid(authority, '/gateway'), await heldSvid(authority, '/gateway')]
    const source = new ListeningSource(first, authority.bundle())
    const broker = await brokerAt(`unix:${house.socket}`, source)
    const opened = []
    for (const pid of [process.pid, process.ppid]) opened.push(await broker.workload({ pid }).x509Source())
    expect(house.server.connections.size).toBe(1)
    // The same SVID in another message: nothing is connected anew.
    source.use({ ...first })
    opened.push(await broker.workload({ pid: process.pid }).x509Source())
    expect(house.server.connections.size).toBe(1)
    source.use(second)
    opened.push(await broker.workload({ pid: process.pid }).x509Source())
    expect(house.server.connections.size).toBe(2)
    expect(presentedIn(house)).toEqual([first, first, first, second].map(({ chain }) => chain[0].der))
    // What is open on the old connection goes on, and the connection goes with it.
    expect(opened.map(({ health }) => health.status)).toEqual(['current', 'current', 'current', 'current'])
    await Promise.all(opened.slice(0, 3).map((one) => one.close()))
    await until(() => house.server.connections.size === 1)
  })

  test('BE-10 BE-15 a broker that is nobody at the moment waits until it is somebody', async () => {
    const authority = await TestAuthority.create()
    const house = await endpoint(authority)
    const svid = await heldSvid(authority, '/gateway')
    const source = new ListeningSource(svid, authority.bundle())
    const broker = await brokerAt(`unix:${house.socket}`, source)
    source.withdraw()
    const workload = broker.workload({ pid: process.pid })
    await expect(workload.fetchJwtSvids({ audience: 'x' })).rejects.toThrowCode(
      'CALLER_UNPROVEN',
      'nobody at the moment',
    )
    const opening = workload.x509Source()
    source.use(svid, authority.bundle())
    expect((await opening).svids).toHaveLength(1)
    expect(workload.ended.aborted).toBe(false)
  })
})

describe('pinProcess()', () => {
  test('BA-27 tells a process from a later one of its number, and from none', () => {
    const starts = ['4711', '4711', '4712', undefined]
    const isSame = pinProcess(1, () => starts.shift())
    expect([isSame(), isSame(), isSame()]).toEqual([true, false, false])
  })

  test('where the system does not tell, every number is believed', () => {
    const starts = [undefined, '4711']
    expect(pinProcess(1, () => starts.shift())()).toBe(true)
  })

  testUnless(notLinux, 'reads when this very process started', () => {
    expect(pinProcess(process.pid)()).toBe(true)
  })
})
