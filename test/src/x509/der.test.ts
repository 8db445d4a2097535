import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkDer, DER_MAX_DEPTH, DerError } from '../../../src/x509/der.ts'
import { DerReader } from '../../../src/x509/der-reader.ts'
import * as der from '../../../src/x509/der-writer.ts'
import { encodeTime, readTime } from '../../../src/x509/time.ts'
import { anyBytes, mutationsOf } from './arbitrary.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

describe('checkDer()', () => {
  test.for([
    ['', 'is empty'],
    ['30', 'ends before its length'],
    ['30 80 00 00', 'indefinite length'],
    ['30 81 01 00', 'not minimal'],
    ['30 82 00 80', 'not minimal'],
    ['30 84 00 00 00 00', 'too long'],
    ['30 82 01', 'ends before its length'],
    ['30 03 02 01', 'longer than what holds it'],
    ['30 03 02 02 01', 'longer than what holds it'],
    ['30 00 00', 'bytes follow'],
    ['1f 81 00 00', 'long tag'],
    ['10 00', 'sequence is not'],
    ['24 03 04 01 00', 'simple element is constructed'],
    ['00 00', 'end-of-contents'],
    ['01 01 01', 'neither 00 nor FF'],
    ['01 02 ff ff', 'neither 00 nor FF'],
    ['02 00', 'integer is empty'],
    ['02 02 00 7f', 'integer is not minimal'],
    ['02 02 ff 80', 'integer is not minimal'],
    ['03 00', 'unused bits'],
    ['03 02 08 00', 'unused bits'],
    ['03 01 01', 'unused bits that are set'],
    ['03 02 04 0f', 'unused bits that are set'],
    ['05 01 00', 'null has content'],
    ['06 00', 'cut off'],
    ['06 02 2a 86', 'cut off'],
    ['06 03 2a 80 01', 'not minimal'],
    ['0c 01 ff', 'not UTF-8'],
    ['31 06 02 01 02 02 01 01', 'not in order'],
  ] as const)('X5-25 refuses %s: %s', ([bytes, why]) => {
    expect(() => checkDer(hex(bytes))).toThrow(DerError)
    expect(() => checkDer(hex(bytes))).toThrow(why)
  })

  test('refuses deep nesting early', () => {
    const nested = (depth: number): Buffer => (depth === 0 ? der.sequence() : der.sequence(nested(depth - 1)))
    expect(() => checkDer(nested(DER_MAX_DEPTH - 1))).not.toThrow()
    expect(() => checkDer(nested(DER_MAX_DEPTH))).toThrow('nested deeper')
    const deep = Buffer.alloc(60_000)
    for (let at = 0; at < deep.length; at += 4) deep.set([0x30, 0x82, (deep.length - at) >> 8, deep.length & 0xff], at)
    expect(() => checkDer(deep)).toThrow(DerError)
  })

  test('on any bytes it returns or throws a DerError, and what it accepts has one encoding', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        if (isDer(bytes)) expect(encodedAgain(bytes)).toEqual(bytes)
      }),
      { numRuns: 3_000 },
    )
  })

  test('a mutation is refused or has one encoding', () => {
    const original = der.sequence(der.integer(200n), der.setOf(der.TRUE, der.NULL), der.octetString(hex('0102')))
    fc.assert(
      fc.property(mutationsOf(original), (bytes) => {
        if (isDer(bytes)) expect(encodedAgain(bytes)).toEqual(bytes)
      }),
    )
  })
})

function isDer(bytes: Buffer): boolean {
  try {
    checkDer(bytes)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(DerError)
    return false
  }
}

/** Reads any element and writes it again: equal only when lengths are minimal and nothing is left over. */
function encodedAgain(bytes: Buffer): Buffer {
  const tag = bytes[0]!
  const reader = new DerReader(bytes)
  if ((tag & 0x20) === 0) return der.element(tag, reader.content(tag, 'it'))
  const children = reader.enter(tag, 'it')
  const parts: Buffer[] = []
  while (!children.atEnd) parts.push(encodedAgain(children.element(children.nextTag!, 'it')))
  return der.element(tag, ...parts)
}

describe('what the writer writes the reader reads', () => {
  test('integers', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 200n }), (value) => {
        const bytes = der.integer(value)
        checkDer(bytes)
        expect(BigInt(`0x${new DerReader(bytes).integer('it').toString('hex')}`)).toBe(value)
      }),
    )
  })

  test('lengths around every size of the length field', () => {
    for (const length of [0, 127, 128, 255, 256, 65_535, 65_536]) {
      const bytes = der.octetString(Buffer.alloc(length))
      checkDer(bytes)
      expect(new DerReader(bytes).content(0x04, 'it')).toHaveLength(length)
    }
  })

  test('object identifiers', () => {
    const arc = fc.nat(2 ** 31 - 1)
    fc.assert(
      fc.property(
        fc.constantFrom('0.9', '1.3', '2.5', '2.39'),
        fc.array(arc, { minLength: 1, maxLength: 8 }),
        (head, arcs) => {
          const dotted = `${head}.${arcs.join('.')}`
          checkDer(der.oid(dotted))
          expect(der.dottedOid(der.oidContent(dotted))).toBe(dotted)
        },
      ),
    )
  })

  test('X5-25 times: UTCTime through 2049, GeneralizedTime after', () => {
    const anyTime = fc.date({
      min: new Date('1950-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(anyTime, (time) => {
        const bytes = encodeTime(time)
        expect(bytes[0]).toBe(time.getUTCFullYear() < 2050 ? 0x17 : 0x18)
        const wholeSeconds = Math.floor(time.getTime() / 1000) * 1000
        expect(readTime(new DerReader(bytes), 'it').getTime()).toBe(wholeSeconds)
      }),
    )
  })

  test.for([
    '260631000000Z',
    '261301000000Z',
    '260101240000Z',
    '260101006000Z',
    '2601010000Z',
    '260101000000',
    '26010100000aZ',
    '260101000000+0000',
  ])('X5-25 refuses the time %s', (text) => {
    const bytes = der.element(0x17, Buffer.from(text))
    expect(() => readTime(new DerReader(bytes), 'it')).toThrow('is not a time')
  })

  test('named bits leave out zeros at the end', () => {
    expect(der.namedBits([0])).toEqual(hex('03 02 07 80'))
    expect(der.namedBits([5, 6])).toEqual(hex('03 02 01 06'))
    expect(der.namedBits([8])).toEqual(hex('03 03 07 00 80'))
    expect(der.namedBits([])).toEqual(hex('03 01 00'))
  })
})
