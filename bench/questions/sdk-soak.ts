import { Client, Server as GrpcServer, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js'
import { once } from 'node:events'
import http2, { type ClientHttp2Session } from 'node:http2'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { channelCredentials, serverCredentials } from '../../src/grpc/index.ts'
import { exactly, memberOf } from '../../src/id/matcher.ts'
import { FakeWorkloadApi } from '../../src/testing/fake-workload-api.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { connectHttp2 } from '../../src/tls/connect-http2.ts'
import { Connections } from '../../src/tls/connections.ts'
import { dispatcher } from '../../src/tls/dispatcher.ts'
import { httpsAgent } from '../../src/tls/https-agent.ts'
import { peerOf } from '../../src/tls/peer-of.ts'
import { tlsServer } from '../../src/tls/tls-server.ts'
import { X509Source } from '../../src/workload/x509-source.ts'
import { ask } from '../ask.ts'

const TTL_MS = 10_000
const RENEW_MS = 4_000
const ROTATIONS = 5
const REQUESTS_PER_SECOND = 200

/** Two services and their agents: identities of ten seconds, under an authority that is replaced now and then. */
class House {
  #authorities: readonly [TestAuthority, ...TestAuthority[]]
  readonly #apis: ReadonlyMap<string, FakeWorkloadApi>

  private constructor(authority: TestAuthority, apis: ReadonlyMap<string, FakeWorkloadApi>) {
    this.#authorities = [authority]
    this.#apis = apis
  }

  static async open(): Promise<House> {
    const apis = new Map([
      ['/web', await FakeWorkloadApi.open()],
      ['/db', await FakeWorkloadApi.open()],
    ])
    const house = new House(await TestAuthority.create(), apis)
    await house.renew()
    return house
  }

  source(path: string): Promise<X509Source> {
    return X509Source.open({ endpoint: this.#apis.get(path)!.endpoint })
  }

  async renew(): Promise<void> {
    const authorities = this.#authorities
    for (const [path, api] of this.#apis) {
      const notAfter = new Date(Date.now() + TTL_MS)
      api.set({ svids: [await authorities[0].issue(path, { notAfter })], authorities })
    }
  }

  /** As an authority is replaced: the next one is published, then it signs, then the old one goes. */
  async rotate(): Promise<void> {
    const [old] = this.#authorities
    const next = await TestAuthority.create()
    this.#authorities = [old, next]
    await this.renew()
    await sleep(1_000)
    this.#authorities = [next, old]
    await this.renew()
    await sleep(TTL_MS)
    this.#authorities = [next]
    await this.renew()
  }

  /** The agents are killed and come back. */
  async restart(): Promise<void> {
    for (const api of this.#apis.values()) await api.stop()
    await sleep(1_500)
    for (const api of this.#apis.values()) await api.start()
  }

  async close(): Promise<void> {
    for (const api of this.#apis.values()) await api[Symbol.asyncDispose]()
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const isDb = exactly('spiffe://example.org/db')
const allow = memberOf('example.org')
const retire = { drainMs: 2_000 }

/** A server for each protocol, and how to ask it. */
async function clientsOf(
  web: X509Source,
  db: X509Source,
  connections: Connections,
): Promise<Record<string, () => Promise<string>>> {
  const options = tlsServer(db, { allow, connections })
  const server = http2.createSecureServer({ ...options, allowHTTP1: true }, (request, response) =>
    response.end(peerOf(request).id.path),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const grpc = new GrpcServer()
  const method = { path: '/soak/Ask', requestStream: false, responseStream: false }
  const asText = { serialize: (value: string) => Buffer.from(value), deserialize: (bytes: Buffer) => bytes.toString() }
  grpc.addService(
    {
      ask: {
        ...method,
        requestSerialize: asText.serialize,
        requestDeserialize: asText.deserialize,
        responseSerialize: asText.serialize,
        responseDeserialize: asText.deserialize,
      },
    },
    {
      ask: (call: ServerUnaryCall<string, string>, answer: sendUnaryData<string>) => answer(null, peerOf(call).id.path),
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    grpc.bindAsync('127.0.0.1:0', serverCredentials(db, { allow, retire }), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  const client = new Client(`127.0.0.1:${port}`, channelCredentials(web, { server: isDb }))
  const agent = httpsAgent(web, { server: isDb })
  const toDb = dispatcher(web, { server: isDb })
  let session: Promise<ClientHttp2Session> | undefined
  return {
    'HTTP/1.1': () =>
      new Promise((resolve, reject) => {
        https.get(origin, { agent }, (response) => void text(response).then(resolve, reject)).once('error', reject)
      }),
    fetch: async () => (await fetch(origin, { dispatcher: toDb })).text(),
    'HTTP/2': async () => {
      const held = await session
      if (held === undefined || held.closed || held.destroyed) session = connectHttp2(web, origin, { server: isDb })
      return text((await session!).request({ ':path': '/' }))
    },
    gRPC: () =>
      new Promise((resolve, reject) =>
        client.makeUnaryRequest(method.path, asText.serialize, asText.deserialize, 'who?', (error, answer) =>
          error === null ? resolve(answer ?? '') : reject(error),
        ),
      ),
  }
}

await ask(
  'SVIDs of 10 s, five authorities, agents that restart: 200 requests/s all the while',
  async ({ isQuick, add }) => {
    const house = await House.open()
    const [web, db] = await Promise.all([house.source('/web'), house.source('/db')])
    const connections = new Connections({ retire })
    const clients = Object.entries(await clientsOf(web, db, connections))
    const endMs = performance.now() + (isQuick ? 40_000 : 180_000)
    const isOver = (): boolean => performance.now() >= endMs
    const failures = new Map<string, number>()
    const [heap, latencies]: [number[], number[]] = [[], []]
    let sent = 0
    const one = async ([name, send]: (typeof clients)[number]): Promise<void> => {
      const startMs = performance.now()
      try {
        const answer = await send()
        if (answer !== '/web') throw new Error(`answered ${JSON.stringify(answer)}`)
        latencies.push(performance.now() - startMs)
      } catch (error) {
        const { message, cause } = error as Error
        const what = `${name}: ${message} ${cause instanceof Error ? cause.message : ''}`
        failures.set(what, (failures.get(what) ?? 0) + 1)
      }
    }
    const renewing = (async () => {
      for (; !isOver(); await sleep(RENEW_MS)) await house.renew()
    })()
    const rotating = (async () => {
      const everyMs = (endMs - performance.now()) / (isQuick ? 2 : ROTATIONS + 1)
      while (endMs - performance.now() > everyMs) {
        await house.rotate()
        await house.restart()
        await sleep(Math.max(0, everyMs - TTL_MS - 2_500))
      }
    })()
    const open: Promise<void>[] = []
    for (let nextMs = performance.now(); !isOver(); nextMs += 1_000 / REQUESTS_PER_SECOND) {
      await sleep(Math.max(0, nextMs - performance.now()))
      open.push(one(clients[sent++ % clients.length]!))
      if (sent % 2_000 === 0) {
        await Promise.all(open.splice(0))
        collect()
        heap.push(process.memoryUsage().heapUsed / 2 ** 20)
      }
    }
    await Promise.all([...open, renewing, rotating])
    for (const [what, count] of failures) console.log(`${count} × ${what}`)
    const failed = [...failures.values()].reduce((sum, count) => sum + count, 0)
    const [early, late] = [heap.slice(0, 3), heap.slice(-3)].map((some) => Math.min(...some))
    add(
      { name: 'failed requests', value: failed, unit: `of ${sent.toLocaleString('en')}`, atMost: 0 },
      {
        name: 'connections that were opened',
        value: connections.size + [...connections.closed.values()].reduce((a, b) => a + b, 0),
        unit: '',
      },
      { name: '… that the server had to end', value: connections.closed.get('expired') ?? 0, unit: '' },
      {
        name: 'latency p99',
        value: latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? NaN,
        unit: 'ms',
      },
      { name: 'heap at the end, over the beginning', value: (late ?? 0) - (early ?? 0), unit: 'MB', atMost: 10 },
    )
    await Promise.all([web.close(), db.close()])
    await house.close()
  },
  { needsPackage: false },
)
