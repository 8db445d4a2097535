import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import type { Connection } from '../../../src/wire/call.ts'
import type { ChannelTls } from '../../../src/wire/channel.ts'
import type { TlsIdentity } from '../../../src/wire/tls-identity.ts'
import { protoFolder } from '../../../proto/proto-folder.ts'
import { healthService } from '../../../src/wire/messages/grpc-health-v1.ts'
import { syncService } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { serve, type ServeOptions, type WireServer } from '../../../src/wire/serve.ts'
import { pemOf } from '../../../src/wire/tls-identity.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import { channelTo, implementations, temporaryFolder, thrownBy, until } from './sockets.ts'

const identityOf = ({ chain, keyPair }: TestSvid, ...more: readonly { readonly der: Buffer }[]): TlsIdentity => ({
  chain: [...chain, ...more].map(({ der }) => der),
  privateKey: keyPair.privateKey,
})

interface ServedTls {
  readonly server: WireServer
  readonly port: number
  readonly seen: Connection[]
}

async function servedTls(credentials: () => TlsIdentity, options: Partial<ServeOptions> = {}): Promise<ServedTls> {
  const seen: Connection[] = []
  const server = serve({ implementations, before: async ({ connection }) => void seen.push(connection), ...options })
  const { port } = await server.listenTls({ host: '127.0.0.1', port: 0 }, { credentials })
  onTestFinished(() => server.drain(0))
  return { server, port, seen }
}

const accept = (): void => undefined
const at = (port: number): { readonly host: string; readonly port: number } => ({ host: '127.0.0.1', port })
const checkAt = (port: number, identity?: TlsIdentity): Promise<unknown> =>
  channelTo({ address: at(port), tls: { verify: accept, identity } })
    .client(healthService)
    .check({})

describe('TLS', () => {
  test('a client without a certificate is served, and seen to have none', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port, seen } = await servedTls(() => identity)
    expect(await checkAt(port)).toEqual({ status: 'SERVING' })
    expect(seen[0]).toMatchObject({ transport: 'tls', address: '127.0.0.1', presentedChain: undefined })
  })

  test('the chain of a client arrives as presented, leaf first, whatever it is worth', async () => {
    const authority = await TestAuthority.create()
    const intermediate = await authority.intermediate()
    const svid = await intermediate.issue('/spire/agent/x')
    const expired = await authority.issue('/spire/agent/y', { notBefore: new Date(1e12), notAfter: new Date(1.1e12) })
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port, seen } = await servedTls(() => identity)
    for (const client of [svid, expired]) await checkAt(port, identityOf(client))
    const chains = seen.map((connection) => (connection.transport === 'tls' ? connection.presentedChain : []))
    expect(chains).toEqual([svid, expired].map(({ chain }) => chain.map(({ der }) => der)))
  })

  test('the server is verified before any request is sent', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port, seen } = await servedTls(() => identity)
    const verify = (): never => {
      throw new SallyportError('PEER_REFUSED', 'not who was wanted')
    }
    const client = channelTo({ address: at(port), tls: { verify } }).client(healthService)
    expect(await thrownBy(client.check({}))).toThrowCode('PEER_REFUSED', 'not who was wanted')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(seen).toEqual([])
  })

  test('a client that knows only the hash of the CA finds the CA at the end of the chain', async () => {
    const authority = await TestAuthority.create()
    const svid = await authority.issue('/spire/server')
    const hash = (der: Buffer): string => createHash('sha256').update(der).digest('hex')
    const { port } = await servedTls(() => identityOf(svid, authority.certificate))
    const presented: (readonly Buffer[])[] = []
    const verify = (chain: readonly Buffer[]): void => void presented.push(chain)
    await channelTo({ address: at(port), tls: { verify } })
      .client(healthService)
      .check({})
    expect(presented[0]!.map(hash)).toEqual([...svid.chain, authority.certificate].map(({ der }) => hash(der)))
  })

  test('new connections see new credentials, old ones go on', async () => {
    const authority = await TestAuthority.create()
    const svids = [await authority.issue('/spire/server'), await authority.issue('/spire/server')] as const
    const identities = svids.map((svid) => identityOf(svid))
    let current = identities[0]!
    const { port } = await servedTls(() => current)
    const presented: Buffer[] = []
    const verify = (chain: readonly Buffer[]): void => void presented.push(chain[0]!)
    const old = channelTo({ address: at(port), tls: { verify } }).client(healthService)
    await old.check({})
    current = identities[1]!
    await channelTo({ address: at(port), tls: { verify } })
      .client(healthService)
      .check({})
    expect(await old.check({})).toEqual({ status: 'SERVING' })
    expect(presented).toEqual(svids.map(({ certificate }) => certificate.der))
  })

  test('a stock gRPC client joins in, by TLS 1.2 too', async () => {
    const authority = await TestAuthority.create()
    const { cert, key } = pemOf(identityOf(await authority.issue('/spire/agent/x')))
    const server = identityOf(await authority.issue('/spire/server'))
    const { port, seen } = await servedTls(() => server)
    const definition = loadSync('grpc/health/v1/health.proto', {
      includeDirs: [protoFolder],
      enums: String,
      defaults: true,
    })
    const Client = grpc.makeClientConstructor(definition['grpc.health.v1.Health'] as grpc.ServiceDefinition, 'Health')
    const credentials = grpc.credentials.createSsl(null, Buffer.from(key), Buffer.from(cert), {
      rejectUnauthorized: false,
    })
    const client = new Client(`127.0.0.1:${port}`, credentials, {
      'grpc.ssl_target_name_override': 'any',
    }) as unknown as {
      check(request: object, callback: grpc.requestCallback<object>): void
      close(): void
    }
    onTestFinished(() => client.close())
    expect(await promisify(client.check.bind(client))({})).toEqual({ status: 'SERVING' })
    expect(seen[0]).toMatchObject({ transport: 'tls' })
    const old = await handshake(port, { maxVersion: 'TLSv1.2', ALPNProtocols: ['h2'] })
    expect(old.getProtocol()).toBe('TLSv1.2')
    expect(await thrownBy(handshake(port, { maxVersion: 'TLSv1.1', ALPNProtocols: ['h2'] }))).toBeDefined()
  })

  test('no session can be resumed, so that every connection shows a certificate that is valid now', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port } = await servedTls(() => identity)
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const sessions: Buffer[] = []
      const first = await handshake(port, { maxVersion, ALPNProtocols: ['h2'] })
      first.on('session', (session) => sessions.push(session))
      await new Promise((resolve) => setTimeout(resolve, 100))
      const session = sessions[0] ?? first.getSession()
      const second = await handshake(port, {
        maxVersion,
        ALPNProtocols: ['h2'],
        ...(session === undefined ? {} : { session }),
      })
      expect(second.isSessionReused()).toBe(false)
    }
  })

  test('a connection that does not speak HTTP/2 is closed', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port } = await servedTls(() => identity)
    const socket = await handshake(port, {})
    await new Promise((resolve) => socket.once('close', resolve).resume())
  })

  test('without a certificate to show, connections are refused and the server lives on', async () => {
    const authority = await TestAuthority.create()
    let identity: TlsIdentity | undefined
    const { port } = await servedTls(() => {
      if (identity === undefined) throw new SallyportError('NOT_READY', 'no authority yet')
      return identity
    })
    expect(await thrownBy(checkAt(port))).toThrowCode('UNREACHABLE')
    identity = identityOf(await authority.issue('/spire/server'))
    expect(await checkAt(port)).toEqual({ status: 'SERVING' })
  })
})

describe('floods', () => {
  test('SE-16 one address can ask for so many handshakes, and for more after a while', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port } = await servedTls(() => identity, { limits: { handshakesPerSecond: 5, handshakeBurst: 3 } })
    for (let count = 0; count < 3; count += 1) await checkAt(port)
    expect(await thrownBy(checkAt(port))).toThrowCode('UNREACHABLE')
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(await checkAt(port)).toEqual({ status: 'SERVING' })
  })

  test('SE-16 handshakes that never end are dropped, and do not crowd out others for longer', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port } = await servedTls(() => identity, { limits: { handshakesPending: 3, handshakeTimeoutMs: 200 } })
    const open = channelTo({ address: at(port), tls: { verify: accept } }).client(healthService)
    await open.check({})
    const silent = Array.from({ length: 3 }, () =>
      connectTcp(port, '127.0.0.1')
        .on('error', () => undefined)
        .resume(),
    )
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await thrownBy(checkAt(port))).toThrowCode('UNREACHABLE')
    expect(await open.check({})).toEqual({ status: 'SERVING' })
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once('close', resolve))))
    expect(await checkAt(port)).toEqual({ status: 'SERVING' })
  })

  test('BE-06 SE-16 on a unix socket too, handshakes have a rate and an end', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/agent/1'))
    const path = join(temporaryFolder(), 's.sock')
    const limits = { handshakesPerSecond: 0.001, handshakeBurst: 2, handshakeTimeoutMs: 200 }
    const server = serve({ implementations, limits })
    onTestFinished(() => server.drain(0))
    await server.listenTls({ unix: path, mode: 0o600 }, { credentials: () => identity })
    const silent = connectTcp(path)
    const closed = new Promise((resolve) => silent.once('close', resolve))
    silent.on('error', () => undefined).resume()
    await closed
    const check = () =>
      channelTo({ address: { unix: path }, tls: { verify: accept } })
        .client(healthService)
        .check({})
    expect(await check()).toEqual({ status: 'SERVING' })
    expect(await thrownBy(check())).toThrowCode('UNREACHABLE')
  })

  test('the server ends although handshakes are still under way', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port, server } = await servedTls(() => identity)
    const silent = connectTcp(port, '127.0.0.1')
      .on('error', () => undefined)
      .resume()
    await new Promise((resolve) => silent.once('connect', resolve))
    await server.drain(50)
  })
})

describe('a channel', () => {
  test('connects again after the connection was lost, and calls under way end with UNREACHABLE', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port, server, seen } = await servedTls(() => identity)
    const client = channelTo({ address: at(port), tls: { verify: accept } }).client(healthService)
    const slow = thrownBy(client.check({ service: 'slow' }))
    await until(() => seen.length === 1)
    server.disconnect(seen[0]!)
    expect(await slow).toThrowCode('UNREACHABLE')
    expect(await client.check({})).toEqual({ status: 'SERVING' })
    expect(server.connections.size).toBe(1)
  })

  test('says so when nobody listens, waits no longer than the caller, and ends with close', async () => {
    const nobody = channelTo({ address: at(1), tls: { verify: accept } }).client(healthService)
    expect(await thrownBy(nobody.check({}))).toThrowCode('UNREACHABLE', 'nobody listens there')
    const channel = channelTo({ address: at(1), tls: { verify: accept } })
    await channel.close()
    expect(await thrownBy(channel.client(healthService).check({}))).toThrowCode('SHUTTING_DOWN')
  })

  test('BE-06 a unix socket speaks TLS too, and a client without a certificate gets no connection where one is required', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/agent/1'))
    const client = identityOf(await authority.issue('/gateway'))
    const seen: Connection[] = []
    const path = join(temporaryFolder(), 's.sock')
    const server = serve({ implementations, before: async ({ connection }) => void seen.push(connection) })
    onTestFinished(() => server.drain(0))
    await server.listenTls({ unix: path, mode: 0o600 }, { credentials: () => identity, requireCertificate: true })
    const over = (tls?: ChannelTls): Promise<unknown> =>
      channelTo({ address: { unix: path }, tls })
        .client(healthService)
        .check({})
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await over({ verify: accept, identity: client })).toEqual({ status: 'SERVING' })
    expect(seen[0]).toMatchObject({ transport: 'tls', address: 'unix', presentedChain: client.chain })
    expect(await thrownBy(over({ verify: accept }))).toThrowCode('UNREACHABLE')
    expect(await thrownBy(over())).toThrowCode('UNREACHABLE')
    expect(seen).toHaveLength(1)
  })

  test('BE-10 a client whose identity has changed makes its next call over a new connection, and open calls go on', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const [first, second] = [identityOf(await authority.issue('/a')), identityOf(await authority.issue('/b'))]
    let current: TlsIdentity | undefined = first
    const { server, port, seen } = await servedTls(() => identity)
    const present = (): TlsIdentity => {
      if (current === undefined) throw new SallyportError('SVID_EXPIRED', 'nobody at the moment')
      return current
    }
    const channel = channelTo({ address: at(port), tls: { verify: accept, identity: present } })
    const asked = Promise.withResolvers<{ hello: { nonce: Buffer } }>()
    async function* messages(): AsyncGenerator<{ hello: { nonce: Buffer } }> {
      yield { hello: { nonce: Buffer.from('1') } }
      yield await asked.promise
    }
    const stream = channel.client(syncService).follow(messages())[Symbol.asyncIterator]()
    expect((await stream.next()).value?.heartbeat?.content.toString()).toBe('1')
    current = second
    for (let count = 0; count < 2; count += 1) await channel.client(healthService).check({})
    current = undefined
    await channel.client(healthService).check({})
    asked.resolve({ hello: { nonce: Buffer.from('2') } })
    expect((await stream.next()).value?.heartbeat?.content.toString()).toBe('2')
    const presented = seen.map((connection) => (connection.transport === 'tls' ? connection.presentedChain : undefined))
    expect(presented).toEqual([first.chain, second.chain, second.chain, second.chain])
    expect(new Set(seen).size).toBe(2)
    await stream.return?.()
    await until(() => server.connections.size === 1)
  })

  test('BE-10 of calls that find the identity changed at the same moment, one connects for all', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const [first, second] = [identityOf(await authority.issue('/a')), identityOf(await authority.issue('/b'))]
    let current = first
    const { port, seen } = await servedTls(() => identity)
    const channel = channelTo({ address: at(port), tls: { verify: accept, identity: () => current } })
    await channel.client(healthService).check({})
    current = second
    await Promise.all(Array.from({ length: 5 }, () => channel.client(healthService).check({})))
    expect(new Set(seen).size).toBe(2)
  })

  test('a port in use is named', async () => {
    const authority = await TestAuthority.create()
    const identity = identityOf(await authority.issue('/spire/server'))
    const { port } = await servedTls(() => identity)
    const other = serve({ implementations })
    expect(await thrownBy(other.listenTls(at(port), { credentials: () => identity }))).toThrowCode('SOCKET_IN_USE')
  })
})

function handshake(port: number, options: object): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    socket.once('secureConnect', () => resolve(socket)).once('error', reject)
    onTestFinished(() => void socket.destroy())
  })
}
