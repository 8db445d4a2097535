import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeBase64, decodeBase64Url } from '../../../src/jws/base64.ts'

const bytes = fc.uint8Array().map((array) => Buffer.from(array))

describe('base64', () => {
  test('reads what was printed', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        expect(decodeBase64(value.toString('base64'))).toEqual(value)
        expect(decodeBase64Url(value.toString('base64url'))).toEqual(value)
      }),
    )
  })

  test('NT-06 no two texts decode to the same bytes', () => {
    const text = fc.string({ unit: fc.constantFrom(...'ABQZaz09+/-_= \n.'), maxLength: 8 })
    fc.assert(
      fc.property(text, (value) => {
        const standard = decodeBase64(value)
        const url = decodeBase64Url(value)
        if (standard !== undefined) expect(standard.toString('base64')).toBe(value)
        if (url !== undefined) expect(url.toString('base64url')).toBe(value)
      }),
      { numRuns: 1000 },
    )
  })

  test.for(['ab=c', 'a b', 'ab+/', 'ab==', 'QR', 'a', 'YQ==\n'])('NT-06 JW-01 refuses %j as base64url', (text) => {
    expect(decodeBase64Url(text)).toBeUndefined()
  })

  test.for(['QR==', 'QQ', 'QQ=', 'ab-_', 'Q Q=', 'QQ==\n', '===='])('NT-06 refuses %j as base64', (text) => {
    expect(decodeBase64(text)).toBeUndefined()
  })
})
