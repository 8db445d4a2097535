import { copyFileSync, linkSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import * as grpc from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseX509Svid } from '../../src/svid/x509-svid.ts'
import { encodeMessage } from '../../src/wire/encode-message.ts'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import { errorInfoType, statusType } from '../../src/wire/messages/google-rpc.ts'
import { workloadPidReferenceType } from '../../src/wire/messages/spiffe-broker.ts'
import { pemOf } from '../../src/wire/tls-identity.ts'
import { House } from './house.ts'
import { cleanEnvironment, freePort, RunningProcess } from './processes.ts'
import { StockClient, workloadClient } from './stock-clients.ts'
import { describeUnless, notLinux } from '../unless.ts'

// A broker, a process that knows nothing of SPIFFE, and a service that fetches for itself: three processes and an agent that tells them
// apart by the programs that they run.

const here = import.meta.dirname
const node = realpathSync(process.execPath)

interface SvidMessage {
  readonly svids: readonly {
    readonly spiffeId: string
    readonly x509Svid: Buffer
    readonly x509SvidKey: Buffer
    readonly hint: string
  }[]
}

interface Order {
  readonly do: 'fetch' | 'connect' | 'token' | 'held'
  readonly pid?: number
  readonly port?: number
  readonly server?: string
}

/** The same program under another name is another program to the agent. */
function programOf(house: House, original: string, name: string): string {
  const path = house.path(name)
  try {
    linkSync(original, path)
  } catch {
    // On another file system, or forbidden for a file of somebody else.
    copyFileSync(original, path)
  }
  return path
}

const socketsIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(folder, name)).isSocket())

test('ST-01 an agent that is not told of brokers opens no socket for them', async () => {
  await using house = await House.open()
  expect(socketsIn(house.path('agent')).toSorted()).toEqual(['api.sock', 'private/admin.sock'])
})

describeUnless(notLinux, 'a broker', () => {
  let house: House
  let port: number
  let agentId: string
  let broker: RunningProcess
  let checkout: RunningProcess
  let orders: RunningProcess
  let ordersPort: number

  beforeAll(async () => {
    port = await freePort()
    house = await House.open({
      agentYaml: `
attestors: {unix: {discoverWorkloadPath: true, workloadSizeLimit: 0}}
experimental:
  broker:
    socket: broker/b.sock
    listen: 127.0.0.1:${port}
    allow:
      - id: spiffe://example.org/gateway
        references: [pid]
`,
    })
    const programs = {
      checkout: programOf(house, realpathSync('/bin/sleep'), 'checkout'),
      orders: programOf(house, node, 'orders'),
    }
    await house.register('/gateway', '--selector', `unix:path:${node}`, '--hint', 'broker', '--x509-ttl', '20s')
    await house.register('/checkout', '--selector', `unix:path:${programs.checkout}`)
    await house.register('/orders', '--selector', `unix:path:${programs.orders}`)
    agentId = (await house.json<{ spiffeId: string }>('status', '--of', 'agent')).spiffeId
    const boss = ['--spiffe-id', 'spiffe://example.org/boss', '--parent', agentId, '--admin']
    await house.json('entry', 'create', ...boss, '--selector', `unix:path:${programs.checkout}`)
    const env = cleanEnvironment({
      SPIFFE_ENDPOINT_SOCKET: house.endpoint,
      SPIFFE_BROKER_SOCKET: `unix:${house.path('agent/broker/b.sock')}`,
    })
    checkout = new RunningProcess(programs.checkout, ['600'])
    orders = new RunningProcess(programs.orders, [join(here, 'orders-process.ts')], { env })
    broker = new RunningProcess(node, [join(here, 'broker-process.ts'), agentId], { env })
    ordersPort = Number((await orders.printed(/port (\d+)/))[1])
    expect((await broker.printed(/"ready":"([^"]*)"/))[1]).toBe('/gateway')
  })

  afterAll(async () => {
    await Promise.all([broker, checkout, orders].map((one) => one?.stop('SIGKILL')))
    await house?.[Symbol.asyncDispose]()
  })

  const pid = () => checkout.child.pid!

  /** What the broker says to an order. */
  async function order(what: Order): Promise<Readonly<Record<string, unknown>>> {
    const from = broker.stdout.length
    broker.child.stdin?.write(`${JSON.stringify({ pid: pid(), ...what })}\n`)
    const pattern = new RegExp(`^[^]{${from}}[^]*?(\\{"answer":"${what.do}"[^\\n]*)\\n`)
    return JSON.parse((await broker.printed(pattern))[1]!) as Readonly<Record<string, unknown>>
  }

  test('BA-07 BA-25 BA-26 fetches for a process that knows nothing of it, and BA-32 never what gives rights', async () => {
    expect(await order({ do: 'fetch' })).toMatchObject({ id: '/checkout', bundles: 1 })
    expect(await order({ do: 'token' })).toMatchObject({ token: '/checkout' })
  })

  test('BA-17 speaks mutual TLS as that process, with a service that fetched for itself', async () => {
    const answer = await order({ do: 'connect', port: ordersPort, server: 'spiffe://example.org/orders' })
    expect(answer).toMatchObject({ peer: '/orders', greeting: 'hello /checkout' })
    const stranger = await order({ do: 'connect', port: ordersPort, server: 'spiffe://example.org/checkout' })
    expect(stranger).toMatchObject({ failed: 'PEER_REFUSED' })
  })

  test('every fetch is in the log of the agent with broker, process and identity', async () => {
    const [line] = await house.agent!.printed(/[^\n]*"Gave a broker X509-SVIDs"[^\n]*/)
    expect(JSON.parse(line)).toMatchObject({
      callerId: 'spiffe://example.org/gateway',
      pid: pid(),
      spiffeId: ['spiffe://example.org/checkout'],
    })
    await house.agent!.printed(/"Gave a broker JWT-SVIDs"/)
    // Neither tokens nor keys are.
    expect(house.agent!.stderr).not.toMatch(/eyJ|PRIVATE KEY/)
  })

  describe('with a stock client', () => {
    let svid: SvidMessage['svids'][number]
    let rootPem: string

    beforeAll(async () => {
      // The process of the test runs the same program as the broker, so it is the broker too.
      using workload = workloadClient(house)
      using stream = workload.stream<SvidMessage>('FetchX509SVID')
      svid = (await stream.next()).svids.find(({ hint }) => hint === 'broker')!
      rootPem = await house.bundlePem()
    })

    function clientAt(address: string, header: Readonly<Record<string, string>> = { 'broker.spiffe.io': 'true' }) {
      const { chain, privateKey } = parseX509Svid(svid.x509Svid, svid.x509SvidKey)
      const { cert, key } = pemOf({ chain: chain.map(({ der }) => der), privateKey: privateKey! })
      const credentials = grpc.credentials.createSsl(Buffer.from(rootPem), Buffer.from(key), Buffer.from(cert), {
        checkServerIdentity: (_host, { subjectaltname }) =>
          subjectaltname === `URI:${agentId}` ? undefined : new Error(`not the agent: ${subjectaltname}`),
      })
      return new StockClient('spiffe.broker.API', address, credentials, header)
    }

    const socket = () => `unix:${house.path('agent/broker/b.sock')}`
    const subscription = (number: number) => ({
      reference: {
        reference: {
          type_url: 'x/spiffe.broker.WorkloadPIDReference',
          value: encodeMessage(workloadPidReferenceType, { pid: number }),
        },
      },
    })

    test('BE-01 BE-06 is served over mutual TLS on the socket', async () => {
      using client = clientAt(socket())
      using stream = client.stream<SvidMessage>('SubscribeToX509SVID', subscription(pid()))
      expect((await stream.next()).svids.map(({ spiffeId }) => spiffeId)).toEqual(['spiffe://example.org/checkout'])
      const tokens = await client.call<{ svids: readonly object[] }>('FetchJWTSVID', {
        ...subscription(pid()),
        audience: ['orders'],
      })
      expect(tokens.svids).toMatchObject([{ spiffeId: 'spiffe://example.org/checkout' }])
    })

    test('BE-05 BA-01 BA-23 is told by status and reason what is wrong', async () => {
      using without = clientAt(socket(), { 'broker.spiffe.io': 'True' })
      expect((await without.stream('SubscribeToX509SVID', subscription(pid())).ended()).code).toBe(3)
      using client = clientAt(socket())
      const refusals = [
        [{}, 3, 'WORKLOAD_REFERENCE_INVALID'],
        [subscription(0), 3, 'WORKLOAD_REFERENCE_INVALID'],
        [subscription(2 ** 30), 5, 'WORKLOAD_NOT_FOUND'],
      ] as const
      for (const [request, code, reason] of refusals) {
        const { code: seen, metadata } = await client.stream('SubscribeToX509SVID', request).ended()
        const { details } = decodeMessage(statusType, metadata.get('grpc-status-details-bin')[0] as Buffer)
        expect([seen, decodeMessage(errorInfoType, details[0]!.value).reason]).toEqual([code, reason])
      }
    })

    test('BA-05 may not refer to processes over TCP', async () => {
      // By name: grpc-js sends the host as the name of the server, which an address cannot be.
      using client = clientAt(`localhost:${port}`)
      const { code, details } = await client.stream('SubscribeToX509SVID', subscription(pid())).ended()
      expect([code, details]).toEqual([7, expect.stringContaining('may not refer to workloads by pid')])
    })
  })

  test('BE-10 goes on over new connections when its own SVID has been renewed and the old one has expired', async () => {
    const given = /"Gave a broker X509-SVIDs"/g
    const before = house.agent!.stderr.match(given)?.length ?? 0
    // A message again for the same process: the stream was opened anew, since nothing of the process has changed.
    await house.agent!.printed(new RegExp(`(?:"Gave a broker X509-SVIDs"[^]*){${before + 1}}`), 90_000)
    expect(await order({ do: 'held' })).toMatchObject({ id: '/checkout' })
    expect(broker.stdout).not.toContain('withdrawn')
  })

  test('BA-18 comes back by itself when the agent was away', async () => {
    const from = broker.stdout.length
    await house.agent?.stop()
    await broker.printed(new RegExp(`^[^]{${from}}[^]*"health":"degraded"`))
    expect(await order({ do: 'held' })).toMatchObject({ id: '/checkout' })
    await house.startAgent()
    await broker.printed(new RegExp(`^[^]{${from}}[^]*"health":"degraded"[^]*"health":"current"`), 60_000)
    expect(await order({ do: 'token' })).toMatchObject({ token: '/checkout' })
  })

  test('BA-27 holds nothing for a process that has ended, and is told so at once', async () => {
    const ended = pid()
    await checkout.stop('SIGKILL')
    await broker.printed(new RegExp(`"pid":${ended},"ended":"WORKLOAD_NOT_FOUND"`))
    expect(await order({ do: 'held', pid: ended })).toMatchObject({ id: 'IDENTITY_NOT_HELD', bundles: 0 })
    expect(await order({ do: 'token', pid: ended })).toMatchObject({ failed: 'WORKLOAD_NOT_FOUND' })
  })
})
