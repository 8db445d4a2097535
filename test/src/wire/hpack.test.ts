import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { encodeFields, HpackDecoder, type HeaderField } from '../../../src/wire/hpack.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const print = (fields: readonly HeaderField[]): string[] =>
  fields.map(({ name, value }) => `${String(name)}: ${String(value)}`)

describe('HpackDecoder', () => {
  test('reads the requests of RFC 7541 C.3 and, with Huffman coding, C.4', () => {
    const plain = new HpackDecoder()
    const coded = new HpackDecoder()
    const requests = [
      ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff'],
      ['8286 84be 5808 6e6f 2d63 6163 6865', '8286 84be 5886 a8eb 1064 9cbf'],
      [
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
      ],
    ] as const
    for (const [a, b] of requests) {
      const fields = plain.decode(hex(a))
      expect(print(coded.decode(hex(b)))).toEqual(print(fields))
      expect(print(fields)).toContain(':authority: www.example.com')
    }
  })

  test('reads what was encoded', () => {
    const field = fc.record({
      name: fc.uint8Array({ maxLength: 40 }),
      value: fc.uint8Array({ maxLength: 300 }),
      sensitive: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
        const sent = fields.map(({ name, value, sensitive }) => ({
          name: Buffer.from(name),
          value: Buffer.from(value),
          sensitive,
        }))
        expect(new HpackDecoder().decode(encodeFields(sent))).toEqual(sent)
      }),
    )
  })

  test('SE-17 any bytes give fields or a SallyportError', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 4 }), (blocks) => {
        const decoder = new HpackDecoder()
        try {
          for (const block of blocks) decoder.decode(Buffer.from(block))
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('SE-16 SE-17 a bomb of references is refused', () => {
    const decoder = new HpackDecoder()
    const entry = Buffer.concat([hex('40 01 61 7f a1 1e'), Buffer.alloc(4000, 0x62)])
    decoder.decode(entry)
    expect(() => decoder.decode(Buffer.alloc(16_000, 0xbe))).toThrowCode('PROTOCOL_INVALID', 'too large')
  })

  test.for([
    ['SE-17 a table larger than 4 KiB', '3f e2 1f', 'larger than allowed'],
    ['a change of the table after a field', '82 20', 'after a field'],
    ['a reference to nothing', 'be', 'not in the table'],
    ['index 0', '80', 'not in the table'],
    ['a text that is cut off', '00 05 61', 'cut off'],
    ['a number without end', 'ff ff ff ff ff ff', 'too large'],
    ['padding of zeros in Huffman coding', '00 81 00 00', 'Huffman'],
    ['the end symbol in Huffman coding', '00 84 ff ff ff ff 00', 'Huffman'],
  ] as const)('refuses %s', ([, block, why]) => {
    expect(() => new HpackDecoder().decode(hex(block))).toThrowCode('PROTOCOL_INVALID', why)
  })
})
