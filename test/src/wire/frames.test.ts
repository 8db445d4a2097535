import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { contentOf, encodeFrame, FrameReader } from '../../../src/wire/frames.ts'

describe('message frames', () => {
  test('messages are read back, however the bytes are cut', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 })
    fc.assert(
      fc.property(messages, fc.array(fc.nat(200), { maxLength: 8 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map((message) => encodeFrame(message)))
        const reader = new FrameReader()
        const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length]
        const received = places.slice(1).flatMap((end, index) => reader.push(bytes.subarray(places[index], end)))
        expect(received.map((frame) => frame.bytes)).toEqual(sent.map((message) => Buffer.from(message)))
        expect(reader.isEmpty).toBe(true)
      }),
    )
  })

  test('SE-16 a message that arrives byte by byte takes little more than its size', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const reader = new FrameReader()
    reader.push(Buffer.from([0, 0, 0x10, 0, 0]))
    collect()
    const before = process.memoryUsage()
    for (let at = 0; at < 500_000; at += 1) reader.push(Buffer.from([at & 0xff]))
    collect()
    const after = process.memoryUsage()
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(5_000_000)
    const [frame] = reader.push(Buffer.alloc(0x100000 - 500_000, 7))
    expect([frame?.bytes.length, frame?.bytes[300], frame?.bytes[499_999]]).toEqual([
      0x100000,
      300 & 0xff,
      499_999 & 0xff,
    ])
  })

  test('any bytes give frames or a SallyportError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          new FrameReader(1000).push(Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
    )
  })

  test('quirk 5: a message over the limit is refused by its length, before it arrives', () => {
    expect(() => new FrameReader(100).push(Buffer.from([0, 0, 0, 0, 101]))).toThrowCode(
      'MESSAGE_TOO_LARGE',
      '101 bytes',
    )
    expect(() => encodeFrame(Buffer.alloc(101), 100)).toThrowCode('MESSAGE_TOO_LARGE', '101 bytes')
  })

  test('SE-16 a compressed bomb stops at the limit', async () => {
    const bomb = { compressed: true, bytes: gzipSync(Buffer.alloc(64 * 1024 * 1024)) }
    expect(await contentOf(bomb, 'gzip', 1024 * 1024).catch((error: unknown) => error)).toThrowCode('MESSAGE_TOO_LARGE')
    const damaged = { compressed: true, bytes: Buffer.from('not gzip') }
    expect(await contentOf(damaged, 'gzip').catch((error: unknown) => error)).toThrowCode('PROTOCOL_INVALID', 'damaged')
    expect(await contentOf(damaged, 'br').catch((error: unknown) => error)).toThrowCode('METHOD_UNIMPLEMENTED', '"br"')
  })
})
