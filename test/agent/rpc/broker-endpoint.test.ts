import { statSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import * as grpc from '@grpc/grpc-js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BrokerScopes } from '../../../agent/broker/brokered-entitlements.ts'
import { GOOD_STANDING } from '../../../agent/entries/standing.ts'
import type { BrokerConfig } from '../../../agent/config.ts'
import type { AgentIdentity } from '../../../agent/node/join.ts'
import { BrokerEndpoint } from '../../../agent/rpc/broker-endpoint.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { systemClock } from '../../../src/clock.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { silentLog } from '../../../src/log/log.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import type { ChannelOptions } from '../../../src/wire/channel.ts'
import type { TlsIdentity } from '../../../src/wire/tls-identity.ts'
import { decodeMessage } from '../../../src/wire/decode-message.ts'
import { errorInfoType, statusType } from '../../../src/wire/messages/google-rpc.ts'
import { serverReflectionService } from '../../../src/wire/messages/grpc-reflection-v1.ts'
import { apiService } from '../../../src/wire/messages/spiffe-broker.ts'
import { serve } from '../../../src/wire/serve.ts'
import { pemOf } from '../../../src/wire/tls-identity.ts'
import { anEntry, anId } from '../../fakes/store-objects.ts'
import { StockClient } from '../../e2e/stock-clients.ts'
import { channelTo, temporaryFolder, thrownBy } from '../../src/wire/sockets.ts'
import { AgentWorld } from '../agent-world.ts'
import { BROKER_ID, FakeProcess, pidReference } from './broker-world.ts'

const HEADER = { 'broker.spiffe.io': 'true' }

const identityOf = ({ chain, keyPair }: TestSvid): TlsIdentity => ({
  chain: chain.map(({ der }) => der),
  privateKey: keyPair.privateKey,
})

async function agentIdentity(authority: TestAuthority, path: string): Promise<AgentIdentity> {
  const { chain, keyPair } = await authority.issue(path)
  const [leaf] = chain
  const spiffeId = anId(path)
  return {
    ...{ spiffeId, certificates: chain, chain: chain.map(({ der }) => der), privateKey: keyPair.privateKey },
    ...{ reattestable: false, notAfter: leaf.notAfter, renewAt: leaf.notAfter },
  }
}

interface Opened {
  readonly world: AgentWorld
  readonly socket: string
  readonly port: number
  readonly client: TlsIdentity
  readonly authority: TestAuthority
  identity: AgentIdentity
}

const allowing = (references: BrokerConfig['allow'][number]['references'], overTcp: typeof references = []) => [
  { id: SpiffeId.parse(BROKER_ID), references, referencesOverTcp: overTcp },
]

/** An endpoint on a socket and on a port, of an agent whose one process has the number 1000. */
async function opened(allow = allowing(['pid'])): Promise<Opened> {
  const world = await AgentWorld.create()
  onTestFinished(() => world[Symbol.asyncDispose]())
  // The connections are of this moment, whatever the clock of the world says.
  const authority = await TestAuthority.create()
  world.hold([anEntry('a')])
  const socket = join(temporaryFolder(), 'broker.sock')
  const parts: { identity: AgentIdentity } = { identity: await agentIdentity(authority, '/spire/agent/1') }
  const { x509Svids, jwtSvids, callers, cryptography } = world
  const endpoint = new BrokerEndpoint(
    { socket, socketFor: 'owner', listen: '127.0.0.1:0', allow },
    {
      ...{ serve, x509Svids, jwtSvids, callers, cryptography, clock: systemClock, log: silentLog },
      scopes: new BrokerScopes(world.entitlements),
      bundles: { bundles: bundleSetOf([authority.bundle()]), standing: GOOD_STANDING },
      isInSync: () => true,
      identity: () => parts.identity,
      openProcess: (pid) => (pid === 1000 ? new FakeProcess(1000, 1000).open() : undefined),
      attest: async ({ uid }) => [{ type: 'unix', value: `uid:${uid}` }],
      callsPerBroker: 100,
      recordCall: undefined,
      limits: {},
    },
  )
  const port = await endpoint.listen()
  onTestFinished(() => endpoint.drain(0))
  const client = identityOf(await authority.issue('/gateway'))
  return Object.assign(parts, { world, socket, port: port!, client, authority })
}

/** A client of the endpoint that has seen these chains of the agent. */
function clientOf(address: ChannelOptions['address'], identity: TlsIdentity, seen: Buffer[] = []) {
  const verify = ([leaf]: readonly Buffer[]): void => void (leaf !== undefined && seen.push(leaf))
  return channelTo({ address, tls: { verify, identity } })
}

const places = ({ socket, port }: Opened): readonly ChannelOptions['address'][] => [
  { unix: socket },
  { host: '127.0.0.1', port },
]

const fetchOne = async (
  { socket }: Opened,
  identity: TlsIdentity,
  metadata: Readonly<Record<string, string>> = HEADER,
): Promise<unknown> => {
  const api = clientOf({ unix: socket }, identity).client(apiService)
  for await (const message of api.subscribeToX509Svid({ reference: pidReference(1000) }, { metadata })) return message
  return undefined
}

describe('the broker endpoint', () => {
  test('BE-02 BE-03 BA-05 is a socket of its own for its owner alone, and an address over which no process is referred to', async () => {
    const house = await opened()
    expect(statSync(house.socket).mode & 0o777).toBe(0o600)
    expect(await fetchOne(house, house.client)).toMatchObject({
      svids: [{ spiffeId: 'spiffe://example.org/workload/a' }],
    })
    const overTcp = clientOf({ host: '127.0.0.1', port: house.port }, house.client).client(apiService)
    const stream = overTcp.subscribeToX509Svid({ reference: pidReference(1000) }, { metadata: HEADER })
    expect(await thrownBy(stream)).toThrowCode('BROKER_REFUSED', 'may not refer to workloads by pid')
  })

  test('BA-05 where it is enabled, a process is referred to over TCP', async () => {
    const house = await opened(allowing([], ['pid']))
    const overTcp = clientOf({ host: '127.0.0.1', port: house.port }, house.client).client(apiService)
    const stream = overTcp.subscribeToX509Bundles({ reference: pidReference(1000) }, { metadata: HEADER })
    for await (const message of stream) {
      expect(Object.keys(message.bundles)).toEqual(['spiffe://example.org'])
      break
    }
    expect(await thrownBy(fetchOne(house, house.client))).toThrowCode('BROKER_REFUSED')
  })

  test('BE-05 the header is wanted on every method, those of reflection and unknown ones too', async () => {
    const house = await opened()
    for (const address of places(house)) {
      const channel = clientOf(address, house.client)
      const api = channel.client(apiService)
      const [reference, metadata] = [pidReference(1000), { 'broker.spiffe.io': 'True' }]
      async function* asking() {
        yield { listServices: '' }
      }
      const answers = [
        thrownBy(api.subscribeToX509Svid({ reference })),
        thrownBy(api.subscribeToX509Bundles({ reference }, { metadata })),
        thrownBy(api.fetchJwtSvid({ reference, audience: ['a'] }, { metadata })),
        thrownBy(api.subscribeToJwtBundles({ reference }, { metadata })),
        thrownBy(channel.client(serverReflectionService).serverReflectionInfo(asking(), { metadata })),
        thrownBy(channel.client({ ...apiService, name: 'foo.Bar' }).fetchJwtSvid({}, { metadata })),
      ]
      for (const answer of await Promise.all(answers)) expect(answer).toThrowCode('HEADER_MISSING', 'broker.spiffe.io')
    }
  })

  test('BE-06 speaks mutual TLS only: no plaintext, no client without a certificate, on the socket neither', async () => {
    const house = await opened()
    for (const address of places(house)) {
      const call = (tls: ChannelOptions['tls']) =>
        thrownBy(channelTo({ address, tls }).client(apiService).fetchJwtSvid({}, { metadata: HEADER }))
      expect(await call(undefined)).toThrowCode('UNREACHABLE')
      expect(await call({ verify: () => undefined })).toThrowCode('UNREACHABLE')
    }
  })

  test('BE-07 an SVID that proves nothing, or is not on the list, gets nothing at all', async () => {
    const house = await opened()
    const impostor = identityOf(await (await TestAuthority.create()).issue('/gateway'))
    const stranger = identityOf(await house.authority.issue('/web'))
    expect(await thrownBy(fetchOne(house, impostor))).toMatchObject({ row: { grpc: 'UNAUTHENTICATED' } })
    expect(await thrownBy(fetchOne(house, stranger))).toThrowCode('BROKER_REFUSED')
    // Who is not let in is not told either that a header is missing.
    expect(await thrownBy(fetchOne(house, stranger, {}))).toThrowCode('BROKER_REFUSED')
  })

  test('BE-09 BE-10 shows the SVID of the agent as it is at the moment, and no session is ever resumed', async () => {
    const house = await opened()
    const seen: Buffer[] = []
    const ask = (): Promise<unknown> =>
      thrownBy(clientOf({ unix: house.socket }, house.client, seen).client(apiService).fetchJwtSvid({}))
    await ask()
    const before = house.identity.chain[0]
    house.identity = await agentIdentity(house.authority, '/spire/agent/1')
    await ask()
    expect(seen).toEqual([before, house.identity.chain[0]])
    expect(seen[0]).not.toEqual(seen[1])
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const tls = { path: house.socket, rejectUnauthorized: false, ALPNProtocols: ['h2'], maxVersion: version }
      const session = Promise.withResolvers<Buffer>()
      const socket = connectTls({ ...tls, ...pemOf(house.client) })
      socket.on('session', session.resolve).on('error', session.reject)
      // TLS 1.3 hands sessions over after the handshake, if at all; what was negotiated will do for trying.
      socket.on('secureConnect', () => session.resolve(socket.getSession()!))
      const again = connectTls({ ...tls, ...pemOf(house.client), session: await session.promise })
      await new Promise((resolve, reject) => again.once('secureConnect', resolve).once('error', reject))
      expect(again.isSessionReused()).toBe(false)
      for (const one of [socket, again]) one.destroy()
    }
  })

  test('BE-06 an agent without a valid SVID of its own lets nobody in, and does again when it has one', async () => {
    const house = await opened()
    const good = house.identity
    house.identity = { ...good, notAfter: new Date(0) }
    expect(await thrownBy(fetchOne(house, house.client))).toThrowCode('UNREACHABLE')
    house.identity = good
    expect(await fetchOne(house, house.client)).toMatchObject({ svids: [{}] })
  })

  test('BE-13 BE-14 RF-01 reflection lists the Broker API and itself, and describes its messages', async () => {
    const house = await opened()
    async function* asking() {
      yield { listServices: '' }
      yield { fileContainingSymbol: 'spiffe.broker.API' }
    }
    const reflection = clientOf({ unix: house.socket }, house.client).client(serverReflectionService)
    const [list, file] = await Array.fromAsync(reflection.serverReflectionInfo(asking(), { metadata: HEADER }))
    expect(list?.listServicesResponse?.service.map(({ name }) => name)).toEqual([
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'spiffe.broker.API',
    ])
    const files = file?.fileDescriptorResponse?.fileDescriptorProto.map((bytes) => bytes.toString('latin1')) ?? []
    expect(files[0]).toContain('SubscribeToX509SVID')
    expect(files.join('')).toContain('google/protobuf/any.proto')
  })

  test('BE-01 GP-01 BA-23 a stock client is served over mutual TLS, and finds the reason in the details', async () => {
    const house = await opened()
    const { cert, key } = pemOf(house.client)
    const root = pemOf({ chain: [house.authority.certificate.der], privateKey: house.client.privateKey }).cert
    const credentials = grpc.credentials.createSsl(Buffer.from(root), Buffer.from(key), Buffer.from(cert), {
      checkServerIdentity: (_host, { subjectaltname }) =>
        subjectaltname === 'URI:spiffe://example.org/spire/agent/1' ? undefined : new Error('not the agent'),
    })
    using client = new StockClient('spiffe.broker.API', `unix:${house.socket}`, credentials, HEADER)
    const subscribe = (pid: number) => client.stream('SubscribeToX509SVID', { reference: pidReference(pid) })
    using stream = subscribe(1000)
    expect(await stream.next()).toMatchObject({ svids: [{ spiffeId: 'spiffe://example.org/workload/a' }] })
    const refusal = await subscribe(4711).ended()
    expect(refusal.code).toBe(grpc.status.NOT_FOUND)
    const {
      code,
      message: text,
      details,
    } = decodeMessage(statusType, refusal.metadata.get('grpc-status-details-bin')[0] as Buffer)
    expect([code, text]).toEqual([refusal.code, refusal.details])
    expect(decodeMessage(errorInfoType, details[0]!.value)).toMatchObject({
      reason: 'WORKLOAD_NOT_FOUND',
      domain: 'spiffe.io',
    })
  })
})
