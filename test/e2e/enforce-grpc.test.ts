import {
  Client,
  Metadata,
  type MethodDefinition,
  type sendUnaryData,
  Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { egress } from '../../src/enforce/egress.ts'
import { Enforcer } from '../../src/enforce/enforcer.ts'
import { channelCredentials, serverCredentials } from '../../src/grpc/index.ts'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import { memberOf } from '../../src/id/matcher.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { verifyJwtSvid } from '../../src/svid/verify-jwt-svid.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { PolicyAgent } from '../fakes/policy-agent.ts'
import { TestSource } from '../fakes/test-source.ts'
import { until } from '../fakes/until.ts'
import { acme, idOf, quarantineOf, rowsOf, rule, withMore } from '../src/policy/acme.ts'
import { authority, svidOf } from './enforced-service.ts'

const method = (path: string, responseStream = false): MethodDefinition<string, string> => ({
  ...{ path, requestStream: false, responseStream },
  requestSerialize: (value) => Buffer.from(value),
  requestDeserialize: (bytes) => bytes.toString(),
  responseSerialize: (value) => Buffer.from(value),
  responseDeserialize: (bytes) => bytes.toString(),
})
const post = method('/ledger.v1.Ledger/Post')
const read = method('/ledger.v1.Ledger/Get', true)

const checkout = '/ns/shop/sa/checkout'
const storefront = '/ns/web/sa/storefront'
const ledgerId = '/ns/pay/sa/ledger'
/** As in the worked example, and checkout may also read. */
const readable = withMore({ rules: [rule('checkout-reads', [{ pattern: checkout }], 'ledger')] })

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close()
})

/** A server of grpc-js that enforces, with what its handlers heard. */
async function ledger(set: PolicySet = acme) {
  const heard: string[] = []
  const agent = new PolicyAgent()
  agent.apply(set, rowsOf(set), idOf(ledgerId))
  const policy = await agent.open()
  const bundles = bundleSetOf([(await authority()).bundleWithJwt()])
  const source = new TestSource(await svidOf(ledgerId), (await authority()).bundle())
  const tokens = {
    verify: (token: string, audience: readonly string[] | string) =>
      verifyJwtSvid(token, audience, bundles, new Date()),
  }
  const enforcer = new Enforcer(source, { service: 'ledger', policy, port: 9443, tokens })
  const server = new Server()
  server.addService(
    { post, read },
    {
      post: (call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) => {
        heard.push(`post ${call.request}`)
        answer(null, `posted for ${peerOf(call).id.path}`)
      },
      read: (call: ServerWritableStream<string, string>) => {
        heard.push(`read ${call.request}`)
        call.write('first')
        call.on('cancelled', () => heard.push('cancelled'))
      },
    },
  )
  closers.push(
    () => policy.close(),
    () => server.forceShutdown(),
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', serverCredentials(source, enforcer.serverOptions), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  return { agent, source, heard, enforcer, port }
}

async function clientOf(path: string, port: number, server = memberOf(acme.trustDomain)): Promise<Client> {
  const source = new TestSource(await svidOf(path), (await authority()).bundle())
  const client = new Client(`127.0.0.1:${port}`, channelCredentials(source, { server }), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 20,
  })
  closers.push(() => client.close())
  return client
}

const call = (client: Client, { path } = post, metadata = new Metadata()): Promise<string> =>
  new Promise((resolve, reject) =>
    client.makeUnaryRequest(
      path,
      post.requestSerialize,
      post.responseDeserialize,
      'entry',
      metadata,
      (error, answer) => (error === null ? resolve(answer!) : reject(error)),
    ),
  )

const refusalOf = async (asked: Promise<unknown>): Promise<ServiceError> => {
  try {
    await asked
  } catch (error) {
    return error as ServiceError
  }
  throw new Error('was not refused')
}

const decisionOf = ({ metadata }: ServiceError): string => String(metadata.get('x-sallyport-decision')[0])

describe('a server of grpc-js that enforces', () => {
  test('serves whom the policy lets in, and says to handlers who that is', async () => {
    const { port } = await ledger()
    expect(await call(await clientOf(checkout, port))).toBe(`posted for ${checkout}`)
  })

  test('refuses a method by PERMISSION_DENIED, with the name of the decision', async () => {
    const { port, heard, agent } = await ledger()
    const refusal = await refusalOf(call(await clientOf(checkout, port), read))
    expect(refusal.code).toBe(status.PERMISSION_DENIED)
    expect(await agent.record(decisionOf(refusal))).toMatchObject({ deniedBy: 'access', code: 'NO_RULE' })
    expect(heard).toEqual([])
  })

  test('case 28 closes the connection of whoever may not move here', async () => {
    const { port, heard, agent } = await ledger()
    const refusal = await refusalOf(call(await clientOf(storefront, port)))
    expect(refusal.code).toBe(status.UNAVAILABLE)
    await until(() => agent.records.some(({ code }) => code === 'GUARD'))
    expect(heard).toEqual([])
  })

  test('ends a stream that is open when its caller is quarantined', async () => {
    const { port, heard, agent } = await ledger(readable)
    const client = await clientOf(checkout, port)
    const stream = client.makeServerStreamRequest(read.path, read.requestSerialize, read.responseDeserialize, 'all')
    await once(stream, 'data')
    const failed = once(stream, 'error')
    agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf(checkout) }) })
    await failed
    await until(() => heard.includes('cancelled'))
  })

  test('goes on with a stream while its SVID rotates', async () => {
    const { port, source } = await ledger(readable)
    const client = await clientOf(checkout, port)
    const stream = client.makeServerStreamRequest(read.path, read.requestSerialize, read.responseDeserialize, 'all')
    await once(stream, 'data')
    let isOver = false
    stream.on('error', () => (isOver = true))
    source.use(await svidOf(ledgerId))
    expect(await call(client)).toBe(`posted for ${checkout}`)
    expect(isOver).toBe(false)
    stream.cancel()
  })
})

describe('a token that checkout forwards to the ledger', () => {
  const token = async (path: string, audience: string[]): Promise<Metadata> => {
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${await (await authority()).issueJwt({ path, audience })}`)
    return metadata
  }

  test('case 60: of a caller without a right is refused, however good it is', async () => {
    const { port, heard, agent } = await ledger()
    const metadata = await token(storefront, ['ledger'])
    const refusal = await refusalOf(call(await clientOf(checkout, port), post, metadata))
    expect(await agent.record(decisionOf(refusal))).toMatchObject({ code: 'CALLER_NO_RULE', jwt: 'accepted' })
    expect(heard).toEqual([])
  })

  test('case 61: for another audience is refused', async () => {
    const { port, heard, agent } = await ledger()
    const metadata = await token(checkout, ['orders'])
    const refusal = await refusalOf(call(await clientOf(checkout, port), post, metadata))
    expect(await agent.record(decisionOf(refusal))).toMatchObject({ code: 'JWT_AUDIENCE', jwt: 'refused' })
    expect(heard).toEqual([])
  })

  test('ZO-42: of a caller who may is accepted, and the record names the caller', async () => {
    const both = withMore({
      rules: [rule('caller-posts', [{ pattern: '/ns/shop/sa/caller' }], 'ledger', { actions: ['post'] })],
    })
    const { port, heard } = await ledger(both)
    const metadata = await token('/ns/shop/sa/caller', ['ledger'])
    expect(await call(await clientOf(checkout, port), post, metadata)).toBe(`posted for ${checkout}`)
    expect(heard).toEqual(['post entry'])
  })

  test('ZO-42: of a caller in quarantine is refused, and its forwarder may go on', async () => {
    const { port, heard, agent, enforcer } = await ledger()
    agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf(storefront) }) })
    await until(() => agent.delivered)
    const client = await clientOf(checkout, port)
    const refusal = await refusalOf(call(client, post, await token(storefront, ['ledger'])))
    expect(await agent.record(decisionOf(refusal))).toMatchObject({ deniedBy: 'lifecycle', code: 'QUARANTINED' })
    expect(heard).toEqual([])
    expect(await call(client)).toBe(`posted for ${checkout}`)
    expect([enforcer.connections.size, enforcer.connections.closed.size]).toEqual([1, 0])
  })

  test('does not reach handlers when it is none', async () => {
    const { port, heard, agent } = await ledger()
    const metadata = new Metadata()
    metadata.set('authorization', 'Bearer aaa.bbb.ccc')
    const refusal = await refusalOf(call(await clientOf(checkout, port), post, metadata))
    expect(await agent.record(decisionOf(refusal))).toMatchObject({ code: 'JWT_INVALID', jwt: 'refused' })
    expect(heard).toEqual([])
  })
})

describe('the source side of a client of grpc-js', () => {
  test('calls whom it may, and writes nothing to whom it may not', async () => {
    const { port, heard } = await ledger()
    const agent = new PolicyAgent()
    agent.apply(acme, rowsOf(acme), idOf(checkout))
    const policy = await agent.open()
    closers.push(() => policy.close())
    const source = new TestSource(await svidOf(checkout), (await authority()).bundle())
    const client = await clientOf(checkout, port, egress(source, { service: 'ledger', policy }))
    expect(await call(client)).toBe(`posted for ${checkout}`)
    const without = { ...acme, conduits: acme.conduits.filter(({ id }) => id !== 'shop-to-ledger') }
    agent.apply(without, rowsOf(without), idOf(checkout))
    await until(() => agent.delivered)
    const other = await clientOf(checkout, port, egress(source, { service: 'ledger', policy }))
    expect((await refusalOf(call(other))).code).toBe(status.UNAVAILABLE)
    await until(() => agent.records.some(({ code, pep }) => code === 'NO_CONDUIT' && pep.side === 'client'))
    expect(heard).toEqual(['post entry'])
  })
})
