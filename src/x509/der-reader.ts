import { checkBitString, checkBoolean, checkInteger, checkOid, contentEnd, DerError, lengthSize, Tag } from './der.ts'

/** Walks over the elements of DER bytes in the order in which the caller expects them; anything else is refused. */
export class DerReader {
  readonly #bytes: Buffer
  readonly #end: number
  #position: number

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#position = start
    this.#end = end
  }

  get atEnd(): boolean {
    return this.#position >= this.#end
  }

  /** Whether the next element has this tag. */
  isNext(tag: number): boolean {
    return this.#position < this.#end && this.#bytes[this.#position] === tag
  }

  /** The tag of the next element; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#position < this.#end ? this.#bytes[this.#position] : undefined
  }

  /** A reader of the content of the next element. */
  enter(tag: number, field: string): DerReader {
    const start = this.#step(tag, field)
    return new DerReader(this.#bytes, start, this.#position)
  }

  /** The content of the next element. */
  content(tag: number, field: string): Buffer {
    const start = this.#step(tag, field)
    return this.#bytes.subarray(start, this.#position)
  }

  /** The next element with its tag and length. */
  element(tag: number, field: string): Buffer {
    const start = this.#position
    this.#step(tag, field)
    return this.#bytes.subarray(start, this.#position)
  }

  boolean(field: string): boolean {
    const start = this.#step(Tag.boolean, field)
    checkBoolean(this.#bytes, start, this.#position)
    return this.#bytes[start] === 0xff
  }

  /** The content of an integer, minimal two's complement. */
  integer(field: string): Buffer {
    const start = this.#step(Tag.integer, field)
    checkInteger(this.#bytes, start, this.#position)
    return this.#bytes.subarray(start, this.#position)
  }

  /** An integer from 0 to 2^31-1. */
  smallInteger(field: string): number {
    const bytes = this.integer(field)
    if (bytes[0]! >= 0x80 || bytes.length > 4) throw new DerError(`${field} is out of range`)
    return bytes.readUIntBE(0, bytes.length)
  }

  /** The content of an object identifier as a text of its bytes, to compare and look up. */
  oid(field: string): string {
    const start = this.#step(Tag.oid, field)
    checkOid(this.#bytes, start, this.#position)
    return this.#bytes.toString('latin1', start, this.#position)
  }

  /** The bytes of a bit string that has no unused bits. */
  octetAlignedBits(field: string): Buffer {
    const start = this.#step(Tag.bitString, field)
    if (this.#bytes[start] !== 0 || start === this.#position) throw new DerError(`${field} is not whole bytes`)
    return this.#bytes.subarray(start + 1, this.#position)
  }

  /** The content of a bit string, its count of unused bits first. */
  bits(field: string): Buffer {
    const start = this.#step(Tag.bitString, field)
    checkBitString(this.#bytes, start, this.#position)
    return this.#bytes.subarray(start, this.#position)
  }

  /** Refuses anything that is left. */
  finish(field: string): void {
    if (!this.atEnd) throw new DerError(`${field} has more than it should`)
  }

  #step(tag: number, field: string): number {
    const at = this.#position
    if (at >= this.#end) throw new DerError(`${field} is missing`)
    if (this.#bytes[at] !== tag) throw new DerError(`${field} is not where it should be`)
    const size = lengthSize(this.#bytes, at + 1, this.#end)
    this.#position = contentEnd(this.#bytes, at + 1, size, this.#end)
    return at + 1 + size
  }
}

/** Where the first of several elements in a row ends. */
export function firstElementEnd(bytes: Buffer, at: number): number {
  const size = lengthSize(bytes, at + 1, bytes.length)
  return contentEnd(bytes, at + 1, size, bytes.length)
}
