import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson, type CanonicalValue } from '../../../src/jws/canonical-json.ts'

const anyValue = fc.jsonValue() as fc.Arbitrary<CanonicalValue>

describe('canonicalJson()', () => {
  test('is JSON that reads back as the same value', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  test('does not depend on the order of fields', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), anyValue), (value) => {
        expect(canonicalJson(Object.fromEntries(Object.entries(value).toReversed()))).toBe(canonicalJson(value))
      }),
    )
  })

  test('leaves out what is undefined, orders fields, has no white space', () => {
    expect(canonicalJson({ b: [1, undefined, 'x'], a: { z: null, y: undefined } })).toBe(
      '{"a":{"z":null},"b":[1,null,"x"]}',
    )
  })

  test('refuses numbers that JSON does not have', () => {
    for (const value of [NaN, Infinity]) expect(() => canonicalJson({ value })).toThrow(TypeError)
  })
})
