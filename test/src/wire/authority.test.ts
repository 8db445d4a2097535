import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { promisify } from 'node:util'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { AuthorityRewriter } from '../../../src/wire/authority-filter.ts'
import { FlightReader, isAcceptable } from '../../../src/wire/authority-gate.ts'
import { encodeFields, HpackDecoder } from '../../../src/wire/hpack.ts'
import { encodeHttp2Frame, frameFlag, frameType, PREFACE, readFrameHeader } from '../../../src/wire/http2-frames.ts'
import { protoFolder } from '../../../proto/proto-folder.ts'
import { codecOf } from '../../../src/wire/codec.ts'
import { healthService } from '../../../src/wire/messages/grpc-health-v1.ts'
import { syncService } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { served, thrownBy } from './sockets.ts'

const settings = (flags = 0): Buffer => encodeHttp2Frame(frameType.settings, flags, 0, Buffer.alloc(0))

function headerBlock(authority: string | undefined): Buffer {
  const pairs = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/grpc.health.v1.Health/Check'],
    ...(authority === undefined ? [] : [[':authority', authority]]),
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ] as [string, string][]
  return encodeFields(
    pairs.map(([name, value]) => ({ name: Buffer.from(name), value: Buffer.from(value), sensitive: false })),
  )
}

const headers = (stream: number, authority: string | undefined): Buffer =>
  encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, stream, headerBlock(authority))
const request = (stream: number): Buffer =>
  encodeHttp2Frame(frameType.data, frameFlag.endStream, stream, Buffer.from([0, 0, 0, 0, 0]))

/** Collects frames until the answer to a stream has ended. */
async function answerOn(socket: Socket, wanted: number): Promise<string[]> {
  const types: string[] = []
  let held: Buffer = Buffer.alloc(0)
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    held = Buffer.concat([held, chunk])
    while (held.length >= 9) {
      const header = readFrameHeader(held)
      if (held.length < 9 + header.length) break
      held = held.subarray(9 + header.length)
      types.push(`${header.type}${header.type === 4 && (header.flags & 1) === 1 ? 'ack' : ''}`)
      if (header.stream === wanted && (header.type === 3 || (header.type === 1 && (header.flags & 1) === 1)))
        return types
    }
  }
  return types
}

describe('quirk 1: a unix socket takes every :authority', () => {
  test.for(['localhost', 'tmp%2Fx.sock', '/run/x/agent.sock', 'tmp/x.sock', '/tmp/a b', 'xds_cluster', 'ünicode'])(
    '%s',
    async (authority) => {
      const { path } = await served()
      const definition = loadSync('grpc/health/v1/health.proto', {
        includeDirs: [protoFolder],
        enums: String,
        defaults: true,
      })
      const Client = grpc.makeClientConstructor(definition['grpc.health.v1.Health'] as grpc.ServiceDefinition, 'Health')
      const options = { 'grpc.default_authority': Buffer.from(authority).toString('latin1') }
      const client = new Client(`unix:${path}`, grpc.credentials.createInsecure(), options) as unknown as {
        check(request: object, callback: grpc.requestCallback<object>): void
        close(): void
      }
      onTestFinished(() => client.close())
      const call = promisify(client.check.bind(client))
      for (let count = 0; count < 20; count += 1) expect(await call({})).toEqual({ status: 'SERVING' })
      const calls = Array.from({ length: 50 }, () => call({}))
      expect(await Promise.all(calls)).toHaveLength(50)
    },
  )

  test('streams and large messages pass the filter, both ways', async () => {
    const { path } = await served()
    const session = connectHttp2('http://localhost', { createConnection: () => connect(path) })
    onTestFinished(() => session.destroy())
    const stream = session.request({
      ':method': 'POST',
      ':authority': '/run/x.sock',
      ':path': '/sallyport.sync.v1.Sync/Follow',
      'content-type': 'application/grpc',
    })
    const nonce = Buffer.alloc(1024 * 1024, 5)
    const codec = codecOf(syncService, 'Follow')
    const message = codec.encodeRequest({ hello: { nonce } })
    const head = Buffer.alloc(5)
    head.writeUInt32BE(message.length, 1)
    const got: Buffer[] = []
    const ended = new Promise<Record<string, unknown>>((resolve) => stream.once('trailers', resolve))
    stream.on('data', (chunk: Buffer) => got.push(chunk))
    for (let count = 0; count < 4; count += 1) stream.write(Buffer.concat([head, message]))
    stream.end()
    expect((await ended)['grpc-status']).toBe('0')
    expect(Buffer.concat(got).length).toBeGreaterThan(4 * nonce.length)
  })

  test('a client that waits for SETTINGS before it calls is not kept waiting, and its PING is answered', async () => {
    for (const authority of ['localhost', '/run/x.sock', undefined]) {
      const { path } = await served()
      const socket = connect(path)
      onTestFinished(() => void socket.destroy())
      socket.write(Buffer.concat([PREFACE, settings(), encodeHttp2Frame(frameType.ping, 0, 0, Buffer.alloc(8))]))
      const first = await new Promise<Buffer>((resolve) => socket.once('data', resolve))
      socket.pause()
      expect(readFrameHeader(first).type).toBe(frameType.ping)
      socket.write(Buffer.concat([settings(frameFlag.ack), headers(1, authority), request(1)]))
      const types = await answerOn(socket, 1)
      expect(types).toContain('0')
      expect(types.at(-1)).toBe('1')
      // The connection lives on: one acknowledgement for each SETTINGS that Node's HTTP/2 knows of.
      socket.write(Buffer.concat([settings(frameFlag.ack), headers(3, authority), request(3)]))
      expect((await answerOn(socket, 3)).at(-1)).toBe('1')
    }
  })

  test('a client that makes no call has its SETTINGS acknowledged, and may call later with any authority', async () => {
    for (const authority of ['localhost', '/run/x.sock']) {
      const clock = new FakeClock()
      const { path } = await served({ clock })
      const session = connectHttp2('http://localhost', { createConnection: () => connect(path) })
      onTestFinished(() => session.destroy())
      const acknowledged = new Promise((resolve) => session.once('localSettings', resolve))
      // Until ours has come and is acknowledged.
      await new Promise((resolve) => session.once('remoteSettings', resolve))
      await clock.advance(1000)
      await acknowledged
      for (let count = 0; count < 3; count += 1) {
        const stream = session.request({
          ':method': 'POST',
          ':authority': authority,
          ':path': '/grpc.health.v1.Health/Check',
          'content-type': 'application/grpc',
        })
        const ended = new Promise<Record<string, unknown>>((resolve, reject) => {
          stream.once('trailers', resolve).once('error', reject)
        })
        stream.resume().end(Buffer.alloc(5))
        expect((await ended)['grpc-status']).toBe('0')
      }
    }
  })

  test('SE-17 bad first flights close that connection only', async () => {
    const { path, channel } = await served()
    const many = Array.from({ length: 6 }, () => encodeHttp2Frame(frameType.continuation, 0, 1, Buffer.from([0x82])))
    const flights = [
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.concat([PREFACE, request(1)]),
      Buffer.concat([PREFACE, settings(), encodeHttp2Frame(frameType.headers, 0, 1, Buffer.from([0x82])), ...many]),
      Buffer.concat([PREFACE, settings(), encodeHttp2Frame(frameType.headers, 0, 1, Buffer.from([0x82])), settings()]),
      Buffer.concat([
        PREFACE,
        settings(),
        encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff])),
      ]),
      Buffer.concat([
        PREFACE,
        settings(),
        encodeHttp2Frame(frameType.headers, frameFlag.endHeaders | frameFlag.padded, 1, Buffer.from([200, 1])),
      ]),
      Buffer.concat([
        PREFACE,
        settings(),
        ...Array.from({ length: 40 }, () => encodeHttp2Frame(6, 1, 0, Buffer.alloc(8000))),
      ]),
    ]
    for (const flight of flights) {
      const socket = connect(path)
      const closed = new Promise((resolve) => socket.once('close', resolve).on('error', () => undefined))
      socket.resume().write(flight)
      await closed
    }
    expect(await channel.client(healthService).check({})).toEqual({ status: 'SERVING' })
  })

  test('SE-17 a failure in the filter closes that connection only', async () => {
    const { path, channel } = await served()
    const socket = connect(path)
    const closed = new Promise((resolve) => socket.once('close', resolve).on('error', () => undefined))
    socket.write(Buffer.concat([PREFACE, settings(), headers(1, '/x'), request(1)]))
    await answerOn(socket, 1)
    socket.resume().write(encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, 3, Buffer.from([0xbf])))
    await closed
    expect(await thrownBy(channel.client(healthService).check({}))).toBeUndefined()
  })
})

describe('the filter', () => {
  test('rewrites headers wherever the bytes are cut, and nothing else', () => {
    const sent = Buffer.concat([
      PREFACE,
      settings(),
      headers(1, '/run/x.sock'),
      request(1),
      headers(3, undefined),
      request(3),
    ])
    const expected = Buffer.concat([PREFACE, settings(), rewritten(1), request(1), rewritten(3), request(3)])
    fc.assert(
      fc.property(fc.array(fc.nat(sent.length), { maxLength: 10 }), (cuts) => {
        const rewriter = new AuthorityRewriter()
        const places = [0, ...cuts.toSorted((a, b) => a - b), sent.length]
        const out = places.slice(1).map((end, index) => rewriter.push(sent.subarray(places[index], end)))
        expect(Buffer.concat(out).equals(expected)).toBe(true)
      }),
    )
  })

  test('joins and splits header blocks by the frame limit, and leaves trailers alone', () => {
    const block = headerBlock('/x')
    const parts = [block.subarray(0, 10), block.subarray(10, 20), block.subarray(20)]
    const sent = [
      encodeHttp2Frame(frameType.headers, frameFlag.endStream, 1, parts[0]!),
      encodeHttp2Frame(frameType.continuation, 0, 1, parts[1]!),
      encodeHttp2Frame(frameType.continuation, frameFlag.endHeaders, 1, parts[2]!),
    ]
    const out = new AuthorityRewriter().push(Buffer.concat([PREFACE, settings(), ...sent])).subarray(PREFACE.length + 9)
    const header = readFrameHeader(out)
    expect(header).toMatchObject({
      type: frameType.headers,
      flags: frameFlag.endHeaders | frameFlag.endStream,
      stream: 1,
    })
    const fields = new HpackDecoder().decode(out.subarray(9))
    expect(String(fields[0]!.name)).toBe(':authority')
    expect(String(fields[0]!.value)).toBe('localhost')
    const trailer = encodeFields([{ name: Buffer.from('x-end'), value: Buffer.from('1'), sensitive: true }])
    const trailers = encodeHttp2Frame(frameType.headers, frameFlag.endHeaders | frameFlag.endStream, 1, trailer)
    const rewriter = new AuthorityRewriter()
    rewriter.push(Buffer.concat([PREFACE, settings(), headers(1, '/x')]))
    expect(rewriter.push(trailers).equals(trailers)).toBe(true)
  })

  test('SE-17 any bytes give bytes or a SallyportError', () => {
    const frame = fc
      .tuple(fc.constantFrom(0, 1, 4, 6, 9), fc.nat(255), fc.nat(3), fc.uint8Array({ maxLength: 60 }))
      .map(([type, flags, stream, payload]) => encodeHttp2Frame(type, flags, stream, payload))
    const garbage = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))
    fc.assert(
      fc.property(fc.array(fc.oneof(frame, garbage), { maxLength: 8 }), fc.boolean(), (pieces, withPreface) => {
        const rewriter = new AuthorityRewriter()
        const reader = new FlightReader(() => undefined)
        for (const target of [rewriter, reader]) {
          try {
            if (withPreface) target.push(Buffer.concat([PREFACE, settings()]))
            for (const piece of pieces) target.push(piece)
          } catch (error) {
            expect(error).toBeInstanceOf(SallyportError)
          }
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('is needed for those authorities only that Node refuses', () => {
    for (const good of ['localhost', 'tmp%2Fx.sock', '[::1]:80', 'a_b']) expect(isAcceptable(good)).toBe(true)
    for (const odd of ['/run/x', 'a b', '', undefined, 'ü']) expect(isAcceptable(odd)).toBe(false)
  })
})

function rewritten(stream: number): Buffer {
  const block = headerBlock(undefined)
  const authority = encodeFields([
    { name: Buffer.from(':authority'), value: Buffer.from('localhost'), sensitive: false },
  ])
  return encodeHttp2Frame(frameType.headers, frameFlag.endHeaders, stream, Buffer.concat([authority, block]))
}
