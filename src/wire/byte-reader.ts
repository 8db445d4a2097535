import { isUtf8 } from 'node:buffer'
import { wireTypes } from './message-type.ts'

const TWO_TO_32 = 2 ** 32
/** What a varint of 64 bits can take. */
const VARINT_MAX_BYTES = 10
/** Deeper than any message of ours; a `google.protobuf.Struct` could go on without end. */
export const NESTING_MAX = 100

/** Reads the parts of Protocol Buffers one after the other. Throws `RangeError` at whatever is no part, or goes past the end. */
export class ByteReader {
  readonly #bytes: Buffer
  #at = 0
  #low = 0
  #high = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get at(): number {
    return this.#at
  }

  get size(): number {
    return this.#bytes.length
  }

  /** Where the length-delimited part that begins here ends; the reader then stands at its first byte. */
  delimitedEnd(limit: number): number {
    const length = this.uint32()
    if (length > limit - this.#at) throw new RangeError('A part is longer than what holds it')
    return this.#at + length
  }

  uint32(): number {
    // Most numbers, tags and lengths are one byte.
    const first = this.#bytes[this.#at]
    if (first !== undefined && first < 0x80) {
      this.#at += 1
      return first
    }
    this.#varint()
    return this.#low
  }

  int32(): number {
    return this.uint32() | 0
  }

  /** Numbers beyond 2^53 are rounded: whoever reads one checks that it is a safe integer. */
  uint64(): number {
    this.#varint()
    return this.#high * TWO_TO_32 + this.#low
  }

  int64(): number {
    this.#varint()
    return (this.#high | 0) * TWO_TO_32 + this.#low
  }

  bool(): boolean {
    this.#varint()
    return this.#low !== 0 || this.#high !== 0
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#skipped(8))
  }

  float(): number {
    return this.#bytes.readFloatLE(this.#skipped(4))
  }

  /** A view, not a copy. */
  bytes(limit: number): Buffer {
    const end = this.delimitedEnd(limit)
    const start = this.#at
    this.#at = end
    return this.#bytes.subarray(start, end)
  }

  /** Refuses what is not UTF-8: with a substitute in its place, two different ids could become one. */
  string(limit: number): string {
    const end = this.delimitedEnd(limit)
    const start = this.#at
    this.#at = end
    const text = this.#bytes.toString('utf8', start, end)
    if (text.includes('\u{fffd}') && !isUtf8(this.#bytes.subarray(start, end))) {
      throw new RangeError('A string is not valid UTF-8')
    }
    return text
  }

  /** Passes over a field that nobody knows. */
  skip(wireType: number, limit: number, depth = 0): void {
    switch (wireType) {
      case wireTypes.varint:
        this.#varint()
        return
      case wireTypes.fixed64:
        this.#skipped(8)
        return
      case wireTypes.bytes:
        this.#at = this.delimitedEnd(limit)
        return
      case wireTypes.startGroup:
        this.#skipGroup(limit, depth + 1)
        return
      case wireTypes.fixed32:
        this.#skipped(4)
        return
      default:
        throw new RangeError(`Wire type ${wireType} begins nothing`)
    }
  }

  #skipGroup(limit: number, depth: number): void {
    if (depth > NESTING_MAX) throw new RangeError('Groups are nested too deeply')
    for (;;) {
      const wireType = this.uint32() & 7
      if (wireType === wireTypes.endGroup) return
      this.skip(wireType, limit, depth)
    }
  }

  #skipped(count: number): number {
    const start = this.#at
    if (count > this.#bytes.length - start) throw new RangeError('The message ends too early')
    this.#at = start + count
    return start
  }

  #varint(): void {
    let low = 0
    let high = 0
    for (let index = 0; index < VARINT_MAX_BYTES; index += 1) {
      const byte = this.#bytes[this.#at]
      if (byte === undefined) throw new RangeError('The message ends too early')
      this.#at += 1
      const bits = byte & 0x7f
      const shift = 7 * index
      if (shift < 32) low |= bits << shift
      if (shift > 25) high |= shift < 32 ? bits >>> (32 - shift) : bits << (shift - 32)
      if (byte < 0x80) {
        this.#low = low >>> 0
        this.#high = high >>> 0
        return
      }
    }
    throw new RangeError('A number is longer than 64 bits')
  }
}
