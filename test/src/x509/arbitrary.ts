import fc from 'fast-check'

/** Bytes of an element with one thing changed: a byte, a cut, an insertion, or a piece doubled. */
export function mutationsOf(original: Buffer): fc.Arbitrary<Buffer> {
  const position = fc.nat(original.length - 1)
  return fc.oneof(
    fc.tuple(position, fc.integer({ min: 1, max: 255 })).map(([at, change]) => {
      const bytes = Buffer.from(original)
      bytes[at]! ^= change
      return bytes
    }),
    position.map((end) => Buffer.from(original.subarray(0, end))),
    fc
      .tuple(position, fc.uint8Array({ minLength: 1, maxLength: 8 }))
      .map(([at, more]) => Buffer.concat([original.subarray(0, at), more, original.subarray(at)])),
    fc.tuple(position, position).map(([a, b]) => Buffer.concat([original.subarray(0, a), original.subarray(b)])),
  )
}

/** Any bytes, and bytes that look like nested DER. */
export const anyBytes: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc
    .array(fc.constantFrom(0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0xa0, 0xa3, 0x00, 0x01, 0x80, 0x81, 0x82, 0xff, 0x05))
    .map((bytes) => Buffer.from(bytes)),
)
