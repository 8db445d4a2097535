import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bundleFromMessage } from '../../../src/wire/bundle-message.ts'
import { codecOf } from '../../../src/wire/codec.ts'
import { decodeMessage } from '../../../src/wire/decode-message.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import { type Struct, structType } from '../../../src/wire/messages/google-protobuf.ts'
import { entryService } from '../../../src/wire/messages/spire-api-server-entry-v1.ts'
import { bundleService } from '../../../src/wire/messages/spire-api-server-bundle-v1.ts'
import { spiffeWorkloadApiService } from '../../../src/wire/messages/spiffe-workload.ts'

const jwt = codecOf(spiffeWorkloadApiService, 'FetchJWTSVID')
const bundles = codecOf(spiffeWorkloadApiService, 'FetchJWTBundles')
const entries = codecOf(entryService, 'BatchCreateEntry')
const audienceOf = (bytes: readonly number[]): Buffer => Buffer.from([0x0a, bytes.length, ...bytes])

describe('messages', () => {
  test.for([
    { what: 'a byte that begins nothing', bytes: [0xff] },
    { what: 'a sequence that does not go on', bytes: [0xc3, 0x28] },
    { what: 'a surrogate', bytes: [0xed, 0xa0, 0x80] },
    { what: 'a slash written too long', bytes: [0xc0, 0xaf] },
    { what: 'a character cut off', bytes: [0xe2, 0x82] },
    { what: 'a character beyond Unicode', bytes: [0xf5, 0x80, 0x80, 0x80] },
  ])('NT-15 are refused when a string has $what', ({ bytes }) => {
    expect(() => jwt.decodeRequest(audienceOf(bytes))).toThrow('UTF-8')
  })

  test('NT-15 are refused when the key of a map is no UTF-8', () => {
    const entry = [0x0a, 0x01, 0xff, 0x12, 0x01, 0x41]
    expect(() => bundles.decodeResponse(Buffer.from([0x0a, entry.length, ...entry]))).toThrow('UTF-8')
  })

  test('NT-15 hold any valid text and any bytes', () => {
    const property = fc.property(fc.string({ unit: 'grapheme' }), fc.uint8Array(), (text, bytes) => {
      const [audience] = (jwt.decodeRequest(jwt.encodeRequest({ audience: [text] })) as { audience: string[] }).audience
      expect(audience).toBe(text)
      const sent = bundles.encodeResponse({ bundles: { 'spiffe://x': Buffer.from(bytes) } })
      const answer = bundles.decodeResponse(sent) as { bundles: Record<string, Buffer> }
      expect([...answer.bundles['spiffe://x']!]).toEqual([...bytes])
    })
    fc.assert(property)
  })

  test('NT-15 fields that nobody knows change nothing', () => {
    const known = jwt.encodeRequest({ audience: ['orders'], spiffeId: 'spiffe://example.org/a' })
    // Field 1000 as a number, field 1001 as bytes.
    const unknown = Buffer.from([0xc0, 0x3e, 0x2a, 0xca, 0x3e, 0x02, 0xff, 0xff])
    expect(jwt.decodeRequest(Buffer.concat([unknown, known, unknown]))).toEqual(jwt.decodeRequest(known))
  })

  test('NT-15 a number that does not fit is refused, never rounded to another one', () => {
    const codec = codecOf(bundleService, 'GetBundle')
    const read = (sequence: readonly number[]) => {
      const trustDomain = [0x0a, 0x01, 0x61]
      return bundleFromMessage(codec.decodeResponse(Buffer.from([...trustDomain, 0x28, ...sequence])) as never)
    }
    expect(read([0x07]).sequenceNumber).toBe(7)
    // 2^53 + 1, which a double cannot hold.
    const tooLarge = [0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]
    expect(() => read(tooLarge)).toThrowCode('BUNDLE_INVALID')
  })

  test('NT-15 a text that truly holds the replacement character is a text', () => {
    const sent = jwt.encodeRequest({ audience: ['\u{fffd}'] })
    expect(jwt.decodeRequest(sent)).toEqual({ audience: ['\u{fffd}'], spiffeId: '' })
  })

  test('NT-15 a key of a map named __proto__ is a key like any other', () => {
    const sent = bundles.encodeResponse({ bundles: { ['__proto__']: Buffer.from('x') } })
    const answer = bundles.decodeResponse(sent) as { bundles: object }
    expect(Object.keys(answer.bundles)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(answer.bundles)).toBe(Object.prototype)
  })

  test.for([
    { what: 'a part that is longer than the message', bytes: [0x0a, 0x05, 0x61] },
    { what: 'a number that does not end', bytes: [0x80] },
    { what: 'a number of more than 64 bits', bytes: [0xc0, 0x3e, ...Array<number>(10).fill(0xff), 0x01] },
    { what: 'a field with the number 0', bytes: [0x02, 0x00] },
    { what: 'the end of a group that never began', bytes: [0x0c] },
    { what: 'groups in groups in groups', bytes: Array<number>(200).fill(0x0b) },
  ])('NT-15 are refused when they have $what', ({ bytes }) => {
    expect(() => jwt.decodeRequest(Buffer.from(bytes))).toThrow(RangeError)
  })

  test('NT-15 messages in messages end at a depth that no honest one has', () => {
    const nested = (depth: number): Struct => ({
      fields: depth === 0 ? {} : { a: { structValue: nested(depth - 1) } },
    })
    expect(() => decodeMessage(structType, encodeMessage(structType, nested(20)))).not.toThrow()
    expect(() => decodeMessage(structType, encodeMessage(structType, nested(60)))).toThrow('too deeply')
  })

  test.for([
    [{ audience: 'orders' }, 'audience is no list'],
    [{ audience: [7] }, 'audience is no string'],
    [{ spiffeId: 7 }, 'spiffeId is no string'],
  ] as const)('what a field cannot hold is never sent: %j', ([message, why]) => {
    expect(() => jwt.encodeRequest(message)).toThrow(why)
    expect(jwt.encodeRequest({}).length).toBe(0)
  })

  test('NT-15 on any bytes decoding ends with a value or an Error', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        entries.decodeRequest(Buffer.from(bytes))
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
    })
    fc.assert(property, { numRuns: 500 })
  })
})
