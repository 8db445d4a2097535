import { connect as connectTls, type TLSSocket } from 'node:tls'
import { describe, expect, onTestFinished, test } from 'vitest'
import { implement } from '../../../src/wire/implementation.ts'
import { encodeFields } from '../../../src/wire/hpack.ts'
import { encodeHttp2Frame, frameFlag, frameType, PREFACE } from '../../../src/wire/http2-frames.ts'
import { healthService } from '../../../src/wire/messages/grpc-health-v1.ts'
import { syncService } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { serve } from '../../../src/wire/serve.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { channelTo, echo } from './sockets.ts'

const HEARTBEAT_MS = 20

/** A server over TLS with an agent that follows its heartbeats. */
async function underAttack(): Promise<{ attack(): Promise<TLSSocket>; longestSilenceMs(): number }> {
  const authority = await TestAuthority.create()
  const svid = await authority.issue('/spire/server')
  const identity = { chain: svid.chain.map(({ der }) => der), privateKey: svid.keyPair.privateKey }
  const heartbeats = implement(syncService, {
    async *follow(_messages, { signal }) {
      while (!signal.aborted) {
        yield { heartbeat: { content: Buffer.alloc(8) } }
        await new Promise((resolve) => setTimeout(resolve, HEARTBEAT_MS))
      }
    },
  })
  const server = serve({ implementations: [implement(healthService, echo), heartbeats] })
  const { port } = await server.listenTls({ host: '127.0.0.1', port: 0 }, { credentials: () => identity })
  onTestFinished(() => server.drain(0))
  const agent = channelTo({ address: { host: '127.0.0.1', port }, tls: { verify: () => undefined } }).client(
    syncService,
  )
  const stop = new AbortController()
  onTestFinished(() => stop.abort())
  let [lastMs, longestMs] = [performance.now(), 0]
  const beats = agent.follow((async function* () {})(), { signal: stop.signal })
  const first = await beats[Symbol.asyncIterator]().next()
  expect(first.done).toBe(false)
  void (async () => {
    for await (const beat of beats) {
      void beat
      longestMs = Math.max(longestMs, performance.now() - lastMs)
      lastMs = performance.now()
    }
  })().catch(() => undefined)
  const attack = (): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
      socket
        .once('secureConnect', () => resolve(socket))
        .on('error', reject)
        .resume()
      onTestFinished(() => void socket.destroy())
    })
  return { attack, longestSilenceMs: () => Math.max(longestMs, performance.now() - lastMs) }
}

const settings = encodeHttp2Frame(frameType.settings, 0, 0, Buffer.alloc(0))
const field = (name: string, value: string | Buffer): Buffer =>
  encodeFields([{ name: Buffer.from(name), value: Buffer.from(value), sensitive: false }])
const call = Buffer.concat([
  field(':method', 'POST'),
  field(':scheme', 'https'),
  field(':path', '/sallyport.sync.v1.Sync/Follow'),
  field(':authority', 'x'),
  field('content-type', 'application/grpc'),
])

/** Writes until the server closes, or everything is written; says which. */
async function pour(socket: TLSSocket, pieces: Iterable<Buffer>): Promise<'closed' | 'written'> {
  const closed = new Promise<'closed'>((resolve) => socket.once('close', () => resolve('closed')))
  socket.write(Buffer.concat([PREFACE, settings]))
  for (const piece of pieces) {
    if (socket.destroyed) return 'closed'
    if (!socket.write(piece)) await Promise.race([closed, new Promise((resolve) => socket.once('drain', resolve))])
  }
  return Promise.race([closed, new Promise<'written'>((resolve) => setTimeout(() => resolve('written'), 500))])
}

describe('SE-16 an agent hears heartbeats while a stranger', () => {
  test.for([
    [
      'sends CONTINUATION frames without end',
      function* () {
        yield encodeHttp2Frame(frameType.headers, 0, 1, call)
        for (let count = 0; count < 20_000; count += 1)
          yield encodeHttp2Frame(frameType.continuation, 0, 1, field('a', 'b'))
      },
    ],
    [
      'opens and resets streams rapidly',
      function* () {
        for (let stream = 1; stream < 100_000; stream += 2) {
          yield Buffer.concat([
            encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, stream, call),
            encodeHttp2Frame(3, 0, stream, Buffer.from([0, 0, 0, 8])),
          ])
        }
      },
    ],
    [
      'sends header blocks that grow when they are decoded',
      function* () {
        const big = Buffer.concat([Buffer.from([0x40, 0x01, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 0x62)])
        yield encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, 1, Buffer.concat([call, big]))
        for (let stream = 3; stream < 2000; stream += 2) {
          yield encodeHttp2Frame(
            frameType.headers,
            frameFlag.endHeaders,
            stream,
            Buffer.concat([call, Buffer.alloc(8000, 0xbe)]),
          )
        }
      },
    ],
    [
      'pings without end',
      function* () {
        for (let count = 0; count < 100_000; count += 1) yield encodeHttp2Frame(frameType.ping, 0, 0, Buffer.alloc(8))
      },
    ],
    [
      'sends SETTINGS without end',
      function* () {
        for (let count = 0; count < 50_000; count += 1) yield settings
      },
    ],
    [
      'opens more streams than allowed',
      function* () {
        for (let stream = 1; stream < 20_000; stream += 2) {
          yield encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, stream, call)
        }
      },
    ],
  ] as const)('%s', async ([, pieces]) => {
    const { attack, longestSilenceMs } = await underAttack()
    const before = process.memoryUsage().rss
    const sockets = await Promise.all([attack(), attack()])
    await Promise.all(
      sockets.map((socket) =>
        pour(
          socket.on('error', () => undefined),
          pieces(),
        ),
      ),
    )
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(longestSilenceMs()).toBeLessThan(10_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024)
  })
})
