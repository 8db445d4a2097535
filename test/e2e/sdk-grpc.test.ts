import {
  Client,
  credentials,
  status,
  type MethodDefinition,
  type sendUnaryData,
  Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js'
import { once } from 'node:events'
import { SallyportError } from '../../src/errors.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import { channelCredentials, serverCredentials, withJwt } from '../../src/grpc/index.ts'
import type { TokenSource } from '../../src/http/token-source.ts'
import { exactly, memberOf } from '../../src/id/matcher.ts'
import { verifyJwtSvid } from '../../src/svid/verify-jwt-svid.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { Connections } from '../../src/tls/connections.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import type { TlsServerOptions } from '../../src/tls/tls-server.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { heldSvid, type TestSource } from '../fakes/test-source.ts'
import { tlsParties } from './tls-parties.ts'

let home: TestAuthority
let db: X509Svid
let dbSource: TestSource
let webSource: TestSource
beforeEach(async () => {
  ;({ home, db, dbSource, webSource } = await tlsParties())
})

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const textMethod = (path: string, streams: boolean): MethodDefinition<string, string> => ({
  path,
  requestStream: streams,
  responseStream: streams,
  requestSerialize: (value) => Buffer.from(value),
  requestDeserialize: (bytes) => bytes.toString(),
  responseSerialize: (value) => Buffer.from(value),
  responseDeserialize: (bytes) => bytes.toString(),
})
const greet = textMethod('/test.Greeter/Greet', false)
const chat = textMethod('/test.Greeter/Chat', true)
const members = memberOf('example.org')
const isDb = exactly('spiffe://example.org/db')

const who = textMethod('/test.Greeter/Who', false)

async function serve(options: Partial<TlsServerOptions> = {}): Promise<string> {
  const server = new Server()
  server.addService(
    { greet, chat, who },
    {
      greet: (call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) =>
        answer(null, `${call.request} ${peerOf(call).id.path}`),
      who: (call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) =>
        answer(null, call.metadata.get('authorization').join()),
      chat: (call: ServerDuplexStream<string, string>) => {
        call.on('data', (said: string) => call.write(`${said} ${peerOf(call).id.path}`))
        call.on('end', () => call.end())
      },
    },
  )
  closers.push(() => server.forceShutdown())
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', serverCredentials(dbSource, { allow: members, ...options }), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  return `127.0.0.1:${port}`
}

function clientOf(address: string, server = isDb): Client {
  const client = new Client(address, channelCredentials(webSource, { server }), {
    // Each test has connections of its own, and does not wait long for the next attempt.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 20,
  })
  closers.push(() => client.close())
  return client
}

const ask = (client: Client, said = 'hello'): Promise<string> =>
  new Promise((resolve, reject) =>
    client.makeUnaryRequest(greet.path, greet.requestSerialize, greet.responseDeserialize, said, (error, answer) =>
      error === null ? resolve(answer!) : reject(error),
    ),
  )

test('grpc-js: both sides verify each other, and the handler learns who calls, of calls and of streams', async () => {
  const client = clientOf(await serve())
  expect(await ask(client)).toBe('hello /web')
  expect(await ask(client)).toBe('hello /web')
  const stream = client.makeBidiStreamRequest(chat.path, chat.requestSerialize, chat.responseDeserialize)
  stream.write('hi')
  const [answer] = (await once(stream, 'data')) as [string]
  expect(answer).toBe('hi /web')
  stream.end()
  stream.resume()
  await once(stream, 'end')
})

test('NT-09 grpc-js: a client calls no server of the wrong id', async () => {
  const admitted: string[] = []
  const address = await serve({ admit: ({ id }) => void admitted.push(id.path) })
  const failure = (await ask(clientOf(address, exactly('spiffe://example.org/orders'))).catch(
    (e: unknown) => e,
  )) as ServiceError
  expect(failure.message).toContain('wanted is spiffe://example.org/orders')
})

test('NT-10 grpc-js: a server lets in nobody that is not allowed', async () => {
  const refused: string[] = []
  const address = await serve({
    allow: exactly('spiffe://example.org/admin'),
    onRefused: (error) => refused.push((error as { code?: string }).code ?? error.message),
  })
  await expect(ask(clientOf(address))).rejects.toThrow()
  expect(refused).toContain('PEER_REFUSED')
})

describe('withJwt()', () => {
  const audiences: unknown[] = []
  const tokens: TokenSource = {
    async fetch(audience) {
      audiences.push(audience)
      return { token: await home.issueJwt({ path: '/web', audience: ['db'] }) }
    },
  }
  const asker = async (source: TokenSource): Promise<string> => {
    const channel = withJwt(channelCredentials(webSource, { server: isDb }), source, 'db')
    const client = new Client(await serve(), channel, { 'grpc.use_local_subchannel_pool': 1 })
    closers.push(() => client.close())
    return await new Promise((resolve, reject) =>
      client.makeUnaryRequest(who.path, who.requestSerialize, who.responseDeserialize, 'hello', (error, answer) =>
        error === null ? resolve(answer!) : reject(error),
      ),
    )
  }

  test('JW-26 sends a bearer token for the audience with each call', async () => {
    const authorization = await asker(tokens)
    expect(audiences).toEqual(['db'])
    const [scheme, token = ''] = authorization.split(' ')
    expect(scheme).toBe('Bearer')
    const verified = await verifyJwtSvid(token, 'db', bundleSetOf([home.bundleWithJwt()]), new Date())
    expect(verified.spiffeId.path).toBe('/web')
  })

  test('fails a call for which there is no token', async () => {
    const failing = (error: Error): TokenSource => ({
      async fetch() {
        throw error
      },
    })
    const away = new SallyportError('SOCKET_UNREACHABLE', 'the agent is away')
    await expect(asker(failing(away))).rejects.toMatchObject({ code: status.UNAVAILABLE })
    const denied = new SallyportError('NO_IDENTITY', 'no identity')
    await expect(asker(failing(denied))).rejects.toMatchObject({ code: status.UNAUTHENTICATED })
  })

  test('sends no token over a connection that is not encrypted', () => {
    expect(() => withJwt(credentials.createInsecure(), tokens, 'db')).toThrow('encrypted channel only')
  })

  test('refuses what is no source, and an audience that is empty', () => {
    const secure = channelCredentials(webSource, { server: isDb })
    expect(() => withJwt(secure, {} as TokenSource, 'db')).toThrow('JwtSource.open()')
    expect(() => withJwt(secure, tokens, '')).toThrow('at least one audience')
  })
})

test('FS-09 grpc-js: calls go on through a rotation of SVIDs and authorities, and through the end of the old ones', async () => {
  const connections = new Connections({ retire: { drainMs: 5_000 } })
  const client = clientOf(await serve({ connections }))
  const life = (): { notAfter: Date } => ({ notAfter: new Date(Date.now() + 4_000) })
  let authority = home
  const renew = async (): Promise<void> => {
    const next = await TestAuthority.create()
    const both = home.bundle(authority, next)
    authority = next
    webSource.use(await heldSvid(next, '/web', life()), both)
    dbSource.use(await heldSvid(next, '/db', life()), both)
  }
  await renew()
  const end = Date.now() + 7_500
  let [calls, renewedAt] = [0, Date.now()]
  while (Date.now() < end) {
    if (Date.now() - renewedAt > 1_000) {
      await renew()
      renewedAt = Date.now()
    }
    expect(await Promise.all([ask(client), ask(client)])).toEqual(['hello /web', 'hello /web'])
    calls += 2
    await sleep(5)
  }
  expect(calls).toBeGreaterThan(100)
  expect(db.spiffeId.path).toBe('/db')
  // By GOAWAY, which loses no call.
  expect(connections.closed.get('expired')).toBeGreaterThanOrEqual(1)
}, 20_000)
