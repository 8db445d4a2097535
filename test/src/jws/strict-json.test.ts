import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { JSON_MAX_DEPTH, parseJsonObject, wholeNumberOf } from '../../../src/jws/strict-json.ts'

const read = (text: string | Uint8Array) => parseJsonObject(text, 'a test')
/** Member names that do not hide behind the prototype. */
const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }))

describe('parseJsonObject()', () => {
  test('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(json, (value) => {
        const text = JSON.stringify(value)
        expect(JSON.stringify(read(text))).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  test.for([
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"x":[{"b":{},"b":[]}]}',
    '{"a":{"b":1},"c":2,"a":3}',
    '{"__proto__":1,"__proto__":2}',
    '{"a\\"":1,"a\\u0022":2}',
  ])('NT-05 JW-22 refuses members named twice: %s', (text) => {
    expect(() => read(text)).toThrowCode('JSON_INVALID', 'twice')
  })

  test('NT-05 takes equal names in different objects, and as values', () => {
    expect(read('{"a":{"a":"a"},"b":[{"a":1},{"a":"}{"}]}')).toEqual({ a: { a: 'a' }, b: [{ a: 1 }, { a: '}{' }] })
  })

  test.for(['[]', 'null', '"x"', '1', '', '{', '{"a":1,}', "{'a':1}", '{"a":NaN}', '\ufeff{}', '{} {}'])(
    'JW-22 refuses %j',
    (text) => {
      expect(() => read(text)).toThrowCode('JSON_INVALID')
    },
  )

  test('JW-22 refuses bytes that are not UTF-8', () => {
    expect(() => read(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrowCode('JSON_INVALID', 'UTF-8')
  })

  test('refuses what is nested too deeply', () => {
    const nested = (depth: number): string => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
    expect(read(nested(JSON_MAX_DEPTH))).toHaveProperty('a')
    expect(() => read(nested(JSON_MAX_DEPTH + 1))).toThrowCode('JSON_INVALID', 'nested')
    expect(() => read(nested(200_000))).toThrowCode('JSON_INVALID')
  })

  test('a member named __proto__ is a member', () => {
    const value = read('{"__proto__":{"admin":true}}')
    expect(Object.hasOwn(value, '__proto__')).toBe(true)
    expect(value['admin']).toBeUndefined()
  })

  test('on any bytes returns an object or throws a SallyportError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string({ unit: fc.constantFrom(...'{}[]",:\\1a ') })), (input) => {
        try {
          expect(typeof read(input)).toBe('object')
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

describe('wholeNumberOf()', () => {
  test.for([
    ['{"n":9007199254740993}', 9007199254740993n],
    ['{"n":9007199254740992}', 9007199254740992n],
    ['{"n":18446744073709551615}', 18446744073709551615n],
    ['{"n":0}', 0n],
    ['{"n":1,"keys":[{"n":2}]}', 1n],
    ['{"keys":{"n":2}}', undefined],
    ['{"n":-1}', undefined],
    ['{"n":1.5}', undefined],
    ['{"n":1e3}', undefined],
    ['{"n":"1"}', undefined],
    ['{}', undefined],
  ] as const)('NT-04 TB-09 reads %s as %s', ([text, value]) => {
    expect(wholeNumberOf(text, 'n')).toBe(value)
  })
})
