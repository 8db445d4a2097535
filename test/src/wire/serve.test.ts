import { once } from 'node:events'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import type { Call } from '../../../src/wire/call.ts'
import { implement } from '../../../src/wire/implementation.ts'
import { encodeFields } from '../../../src/wire/hpack.ts'
import {
  encodeHttp2Frame,
  FRAME_HEADER_BYTES,
  frameFlag,
  frameType,
  PREFACE,
  readFrameHeader,
  type FrameHeader,
} from '../../../src/wire/http2-frames.ts'
import { protoFolder } from '../../../proto/proto-folder.ts'
import { healthService } from '../../../src/wire/messages/grpc-health-v1.ts'
import { syncService } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { RpcError } from '../../../src/wire/status.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { implementations, served, thrownBy, until, untilAborted } from './sockets.ts'

/** A stock gRPC client, written by others. */
type StockHealth = grpc.Client & {
  check(request: object, metadata: grpc.Metadata, options: object, callback: grpc.requestCallback<object>): void
  watch(request: object): grpc.ClientReadableStream<object>
}

function stockClient(path: string, options: grpc.ChannelOptions = {}): StockHealth {
  const definition = loadSync('grpc/health/v1/health.proto', {
    includeDirs: [protoFolder],
    enums: String,
    defaults: true,
  })
  const Client = grpc.makeClientConstructor(definition['grpc.health.v1.Health'] as grpc.ServiceDefinition, 'Health')
  const client = new Client(`unix:${path}`, grpc.credentials.createInsecure(), options)
  onTestFinished(() => client.close())
  return client as unknown as StockHealth
}

const check = (client: StockHealth, request: object, options: object = {}): Promise<unknown> =>
  promisify(client.check.bind(client))(request, new grpc.Metadata(), options)

function rawClient(path: string): ClientHttp2Session {
  const session = connectHttp2('http://localhost', { createConnection: () => connect(path) })
  session.on('error', () => undefined)
  onTestFinished(() => session.destroy())
  return session
}

/** The headers of a health check, as a client writes them by hand. */
function rawHeaders(method: string): Buffer {
  const fields = [
    [':method', method],
    [':scheme', 'http'],
    [':path', '/grpc.health.v1.Health/Check'],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
  ].map(([name = '', value = '']) => ({ name: Buffer.from(name), value: Buffer.from(value), sensitive: false }))
  return encodeFields(fields)
}

async function* framesOf(socket: Socket): AsyncGenerator<FrameHeader> {
  let held: Buffer = Buffer.alloc(0)
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    held = Buffer.concat([held, chunk])
    while (held.length >= FRAME_HEADER_BYTES) {
      const header = readFrameHeader(held)
      if (held.length < FRAME_HEADER_BYTES + header.length) break
      held = held.subarray(FRAME_HEADER_BYTES + header.length)
      yield header
    }
  }
}

describe('a call', () => {
  test('WE-01 WE-07 a stock gRPC client is served without TLS', async () => {
    const { path } = await served()
    expect(await check(stockClient(path), {})).toEqual({ status: 'SERVING' })
  })

  test('a stock client reads code, message and trailers', async () => {
    const refuse = async (): Promise<never> => {
      throw new SallyportError('NOT_READY', 'not yet: 100 % nö', { hint: 'wait' })
    }
    const { path } = await served({ implementations: [implement(healthService, { check: refuse })] })
    const error = (await thrownBy(check(stockClient(path), {}))) as grpc.ServiceError
    expect(error).toMatchObject({ code: grpc.status.UNAVAILABLE, details: 'not yet: 100 % nö' })
    expect(error.metadata.get('sallyport-code')).toEqual(['NOT_READY'])
  })

  test('handlers see the peer, the metadata and the method', async () => {
    const seen: Call[] = []
    const { channel } = await served({
      implementations: [
        implement(healthService, {
          check: async (_request, call) => {
            seen.push(call)
            return { status: 'SERVING' }
          },
        }),
      ],
    })
    await channel.client(healthService).check({}, { metadata: { 'workload.spiffe.io': 'true' } })
    const [call] = seen
    expect(call!.method).toBe('/grpc.health.v1.Health/Check')
    expect(call!.metadata.get('workload.spiffe.io')).toEqual(['true'])
    expect([...call!.metadata.keys()]).toEqual(['workload.spiffe.io'])
    expect(call!.connection.transport === 'unix' && call!.connection.peer.pid).toBe(process.pid)
  })

  test('a header sent twice arrives as two values', async () => {
    const { path, seen } = await recording()
    await post(rawClient(path), '/grpc.health.v1.Health/Check', { 'workload.spiffe.io': ['true', 'false'] })
    expect(seen[0]!.metadata.get('workload.spiffe.io')).toEqual(['true', 'false'])
  })

  test('an unexpected failure leaves as a request id, and its cause goes to the log', async () => {
    const lines: string[] = []
    const { openLog } = await import('../../../src/log/open-log.ts')
    const log = openLog({ level: 'error', format: 'json', write: (line) => void lines.push(line) })
    const fail = async (): Promise<never> => {
      throw new TypeError('the secret cause')
    }
    const { channel } = await served({ implementations: [implement(healthService, { check: fail })], log })
    const error = (await thrownBy(channel.client(healthService).check({}))) as SallyportError
    expect(error).toThrowCode('INTERNAL', 'internal error (request id ')
    expect(error.message).not.toContain('secret')
    const requestId = /request id (.*)\)/.exec(error.message)![1]!
    expect(lines.join()).toContain('the secret cause')
    expect(lines.join()).toContain(requestId)
  })

  test('a method that is unknown, or left out, is UNIMPLEMENTED; authorisation runs before', async () => {
    const asked: string[] = []
    const { channel, path } = await served({
      before: async ({ method }) => void asked.push(method),
      implementations: [implement(healthService, {})],
    })
    expect(await thrownBy(channel.client(healthService).check({}))).toThrowCode('METHOD_UNIMPLEMENTED')
    expect(await thrownBy(channel.client(syncService).follow((async function* () {})()))).toThrowCode(
      'METHOD_UNIMPLEMENTED',
    )
    const error = (await thrownBy(check(stockClient(path), {}))) as grpc.ServiceError
    expect(error.code).toBe(grpc.status.UNIMPLEMENTED)
    expect(asked).toEqual([
      '/grpc.health.v1.Health/Check',
      '/sallyport.sync.v1.Sync/Follow',
      '/grpc.health.v1.Health/Check',
    ])
  })

  test('calls are counted by method and status, and methods that strangers invent by one name', async () => {
    const counted: string[] = []
    const { channel, path } = await served({ recordCall: (method, status) => void counted.push(`${method} ${status}`) })
    await channel.client(healthService).check({})
    await post(rawClient(path), '/made.up/Method')
    expect(counted).toEqual(['/grpc.health.v1.Health/Check OK', 'unknown UNIMPLEMENTED'])
  })

  test('quirk 6: deadlines come in every unit, and end the call on both sides', async () => {
    const { path, channel } = await served()
    const late = await thrownBy(channel.client(healthService).check({ service: 'slow' }, { timeoutMs: 50 }))
    expect(late).toThrowCode('DEADLINE_EXCEEDED')
    // What is left of a deadline is seldom a whole number.
    expect(late).toMatchObject({ message: expect.stringMatching(/within \d+ ms$/) })
    const session = rawClient(path)
    for (const timeout of ['20000u', '20m', '20000000n']) {
      const answer = await post(
        session,
        '/grpc.health.v1.Health/Check',
        { 'grpc-timeout': timeout },
        frame({ service: 'slow' }),
      )
      expect(answer['grpc-status']).toBe('4')
    }
    for (const timeout of ['1S', '1M', '99999999H']) {
      expect((await post(session, '/grpc.health.v1.Health/Check', { 'grpc-timeout': timeout }))['grpc-status']).toBe(
        '0',
      )
    }
    expect((await post(session, '/grpc.health.v1.Health/Check', { 'grpc-timeout': 'soon' }))['grpc-status']).toBe('13')
  })

  test('quirk 6: compressed requests are read, bombs are refused, answers are never compressed', async () => {
    const { path } = await served()
    const session = rawClient(path)
    const headers = { 'grpc-encoding': 'gzip', 'grpc-accept-encoding': 'gzip' }
    const packed = (bytes: Buffer): Buffer => {
      const content = gzipSync(bytes)
      const head = Buffer.from([1, 0, 0, 0, 0])
      head.writeUInt32BE(content.length, 1)
      return Buffer.concat([head, content])
    }
    const good = await post(
      session,
      '/grpc.health.v1.Health/Check',
      headers,
      packed(frame({ service: 'x' }).subarray(5)),
    )
    expect(good).toMatchObject({ 'grpc-status': '0' })
    expect(good['grpc-encoding']).toBeUndefined()
    const bomb = await post(session, '/grpc.health.v1.Health/Check', headers, packed(Buffer.alloc(8 * 1024 * 1024)))
    expect(bomb['grpc-status']).toBe('8')
  })

  test('SE-16 a message that cannot be decompressed is refused before the client has finished, and ends nothing else', async () => {
    const { path } = await served()
    const session = rawClient(path)
    for (const encoding of ['snappy', 'gzip']) {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        'grpc-encoding': encoding,
      })
      stream.on('error', () => undefined)
      stream.write(Buffer.from([1, 0, 0, 0, 3, 1, 2, 3]))
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>]
      expect(headers['grpc-status']).toBe(encoding === 'gzip' ? '13' : '12')
      stream.close()
    }
    expect((await post(session, '/grpc.health.v1.Health/Check', {}, frame({})))['grpc-status']).toBe('0')
  })

  test('a request that ends without a message before anybody reads it is refused at once', async () => {
    const gate = Promise.withResolvers<void>()
    // No time passes, so that no limit of time gives the answer.
    const { path } = await served({ before: () => gate.promise, clock: new FakeClock() })
    const socket = connect(path)
    onTestFinished(() => void socket.destroy())
    const nothing = Buffer.alloc(0)
    const headers = encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, 1, rawHeaders('POST'))
    const end = encodeHttp2Frame(frameType.data, frameFlag.endStream, 1, nothing)
    const ping = encodeHttp2Frame(frameType.ping, 0, 0, Buffer.alloc(8))
    socket.write(Buffer.concat([PREFACE, encodeHttp2Frame(frameType.settings, 0, 0, nothing), headers, end, ping]))
    for await (const { type, stream, flags } of framesOf(socket)) {
      // The answer to the PING: all that was sent before has arrived.
      if (type === frameType.ping) gate.resolve()
      if (stream !== 1) continue
      expect({ type, isLast: (flags & frameFlag.endStream) !== 0 }).toEqual({ type: frameType.headers, isLast: true })
      return
    }
    expect.unreachable('the server hung up')
  })

  test('malformed messages and calls are refused, and the connection goes on', async () => {
    const { path } = await served()
    const session = rawClient(path)
    const send = (body: Buffer): Promise<Record<string, unknown>> =>
      post(session, '/grpc.health.v1.Health/Check', {}, body)
    expect((await send(Buffer.from([0, 0, 0, 0, 2, 0x12, 0x7f])))['grpc-status']).toBe('3')
    expect((await send(Buffer.alloc(0)))['grpc-status']).toBe('13')
    expect((await send(Buffer.from([0, 0, 0, 0, 9, 1])))['grpc-status']).toBe('13')
    expect((await send(Buffer.from([7, 0, 0, 0, 0])))['grpc-status']).toBe('13')
    expect((await send(Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0])))['grpc-status']).toBe('13')
    expect((await send(Buffer.from([0, 0xff, 0xff, 0xff, 0xff])))['grpc-status']).toBe('8')
    expect((await send(frame({})))['grpc-status']).toBe('0')
    expect(await post(session, '/', { ':method': 'PUT' })).toMatchObject({ ':status': 405 })
    expect(await post(session, '/', { 'content-type': 'text/html' })).toMatchObject({ ':status': 415 })
  })
})

describe('a stream', () => {
  test('messages go both ways', async () => {
    const { channel } = await served()
    const sent = (async function* () {
      for (let at = 0; at < 20; at += 1) yield { hello: { nonce: Buffer.from([at]) } }
    })()
    const received: number[] = []
    for await (const { heartbeat } of channel.client(syncService).follow(sent)) received.push(heartbeat!.content[0]!)
    expect(received).toEqual(Array.from({ length: 20 }, (_unused, at) => at))
  })

  test('quirk 3: a large message is split by flow control', async () => {
    const content = Buffer.alloc(3 * 1024 * 1024, 7)
    const { channel } = await served({
      implementations: [
        implement(syncService, {
          async *follow() {
            yield { heartbeat: { content } }
          },
        }),
      ],
    })
    for await (const { heartbeat } of channel.client(syncService).follow((async function* () {})())) {
      expect(heartbeat!.content.equals(content)).toBe(true)
    }
  })

  test('SE-04 a client that does not read stops the generator', async () => {
    let made = 0
    const { path } = await served({
      implementations: [
        implement(healthService, {
          async *watch() {
            for (; made < 1_000_000; made += 1) yield { status: 'SERVING' }
          },
        }),
      ],
    })
    const stream = rawClient(path).request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Watch',
      'content-type': 'application/grpc',
    })
    stream.on('error', () => undefined).end(frame({}))
    await until(() => made > 100)
    let before = -1
    while (before !== made) {
      before = made
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(made).toBeLessThan(50_000)
  })

  test('ends for the handler when the client cancels or goes away', async () => {
    const reasons: unknown[] = []
    const { channel, path } = await served({
      implementations: [
        implement(healthService, {
          async *watch(_request, call) {
            yield { status: 'SERVING' }
            await untilAborted(call)
            reasons.push(call.signal.reason)
          },
        }),
      ],
    })
    for await (const message of channel.client(healthService).watch({})) {
      expect(message.status).toBe('SERVING')
      break
    }
    await until(() => reasons.length === 1)
    const stop = new AbortController()
    const reading = thrownBy(channel.client(healthService).watch({}, { signal: stop.signal }))
    stop.abort(new SallyportError('NOT_READY', 'enough'))
    expect(await reading).toThrowCode('NOT_READY', 'enough')
    const session = rawClient(path)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Watch',
      'content-type': 'application/grpc',
    })
    stream.on('error', () => undefined).end(frame({}))
    await new Promise((resolve) => stream.once('response', resolve))
    session.destroy()
    await until(() => reasons.length >= 2)
    for (const reason of reasons) expect(reason).toThrowCode('CALL_CANCELLED')
  })

  test('quirk 9: draining ends streams with UNAVAILABLE and lets single calls finish', async () => {
    let finish: () => void = () => undefined
    const finished = new Promise<void>((resolve) => (finish = resolve))
    const { server, path, channel } = await served({
      implementations: [
        implement(healthService, {
          check: async () => {
            await finished
            return { status: 'SERVING' }
          },
          async *watch(_request, call) {
            yield { status: 'SERVING' }
            await untilAborted(call)
          },
        }),
      ],
    })
    const stock = stockClient(path).watch({})
    const stockEnd = new Promise<grpc.StatusObject>((resolve) =>
      stock
        .on('status', resolve)
        .on('error', () => undefined)
        .resume(),
    )
    await new Promise((resolve) => stock.once('data', resolve))
    const own = thrownBy(channel.client(healthService).watch({}))
    const single = channel.client(healthService).check({})
    await until(() => [...server.connections].length === 2)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const drained = server.drain(2000)
    expect((await stockEnd).code).toBe(grpc.status.UNAVAILABLE)
    expect(await own).toThrowCode('SHUTTING_DOWN')
    finish()
    expect(await single).toEqual({ status: 'SERVING' })
    await drained
    expect(await thrownBy(stat(path))).toMatchObject({ code: 'ENOENT' })
    expect(await thrownBy(channel.client(healthService).check({}))).toThrowCode('UNREACHABLE', 'no such socket')
  })

  test('SE-04 a thousand streams that never read do not hold up the end', async () => {
    const { server, path } = await served({
      implementations: [
        implement(healthService, {
          async *watch() {
            for (;;) yield { status: 'SERVING' }
          },
        }),
      ],
    })
    const session = rawClient(path)
    for (let count = 0; count < 1000; count += 1) {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Watch',
        'content-type': 'application/grpc',
      })
      stream.on('error', () => undefined).end(frame({}))
    }
    await new Promise((resolve) => setTimeout(resolve, 500))
    const startMs = performance.now()
    await server.drain(500)
    expect(performance.now() - startMs).toBeLessThan(5000)
  })
})

describe('limits', () => {
  test('SE-04 WE-28 a user with too many calls gets UNAVAILABLE for the next, and room again after', async () => {
    const { channel } = await served({
      limits: { streamsPerUid: 2 },
      implementations: [
        implement(healthService, {
          check: async () => ({ status: 'SERVING' }),
          async *watch(_request, call) {
            yield { status: 'SERVING' }
            await untilAborted(call)
          },
        }),
      ],
    })
    const client = channel.client(healthService)
    const open = [client.watch({})[Symbol.asyncIterator](), client.watch({})[Symbol.asyncIterator]()]
    for (const stream of open) await stream.next()
    const error = (await thrownBy(client.check({}))) as SallyportError
    expect(error).toThrowCode('CALL_LIMIT')
    expect(error.row.grpc).toBe('UNAVAILABLE')
    await open[0]!.return!()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await client.check({})).toEqual({ status: 'SERVING' })
  })

  test('SE-04 a user with too many connections is refused the next', async () => {
    const { path } = await served({ limits: { connectionsPerUid: 2 } })
    const clients = [rawClient(path), rawClient(path)]
    for (const client of clients) expect((await post(client, '/grpc.health.v1.Health/Check'))['grpc-status']).toBe('0')
    const third = connect(path)
    await new Promise((resolve) => third.once('close', resolve).on('error', () => undefined))
    clients[0]!.destroy()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect((await post(rawClient(path), '/grpc.health.v1.Health/Check'))['grpc-status']).toBe('0')
  })

  test('SE-16 quirk 2: rapid resets end that connection only, and others are served', async () => {
    const { path, channel } = await served()
    const session = rawClient(path)
    const closed = new Promise((resolve) => session.once('close', resolve))
    for (let count = 0; count < 5000 && !session.destroyed; count += 1) {
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Watch',
        'content-type': 'application/grpc',
      })
      stream.on('error', () => undefined).close()
      if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await closed
    expect(await channel.client(healthService).check({})).toEqual({ status: 'SERVING' })
  })

  test('quirk 2: requests that are reset in the same breath, gRPC or not, harm nobody', async () => {
    const { path, channel } = await served()
    const socket = connect(path)
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => undefined).resume()
    const settings = encodeHttp2Frame(frameType.settings, 0, 0, Buffer.alloc(0))
    const pieces = [PREFACE, settings]
    for (const [at, method] of ['GET', 'POST', 'GET', 'POST'].entries()) {
      const stream = 2 * at + 1
      pieces.push(encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, stream, rawHeaders(method)))
      pieces.push(encodeHttp2Frame(3, 0, stream, Buffer.from([0, 0, 0, 8])))
    }
    socket.write(Buffer.concat(pieces))
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await channel.client(healthService).check({})).toEqual({ status: 'SERVING' })
  })

  test('SE-16 headers beyond the limit are refused, and others are served', async () => {
    const { path, channel } = await served()
    const session = rawClient(path)
    const error = await thrownBy(post(session, '/grpc.health.v1.Health/Check', { filler: 'x'.repeat(60_000) }))
    expect(error).toBeDefined()
    expect(await channel.client(healthService).check({})).toEqual({ status: 'SERVING' })
  })
})

/** A handler that remembers its calls. */
async function recording(): Promise<{ readonly path: string; readonly seen: Call[] }> {
  const seen: Call[] = []
  const { path } = await served({ before: async (call) => void seen.push(call), implementations })
  return { path, seen }
}

function frame({ service = '' }: { readonly service?: string }): Buffer {
  const message =
    service === '' ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)])
  return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message])
}

/** One raw request; resolves with headers and trailers together. */
function post(
  session: ClientHttp2Session,
  path: string,
  headers: Record<string, string | string[]> = {},
  body = frame({}),
): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    })
    let answer: Record<string, unknown> = {}
    stream.on('response', (given) => (answer = { ...given }))
    stream.on('trailers', (given) => (answer = { ...answer, ...given }))
    stream.on('error', reject)
    stream.on('close', () =>
      Object.keys(answer).length === 0 ? reject(new RpcError('UNKNOWN', 'reset')) : resolve(answer),
    )
    stream.resume().end(body)
  })
}
