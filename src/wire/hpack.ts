import { SallyportError } from '../errors.ts'
import { decodeHuffman } from './huffman.ts'

/** A header field as bytes: values need not be text. */
export interface HeaderField {
  readonly name: Buffer
  readonly value: Buffer
  /** Marked by the sender as never to be put into a table. */
  readonly sensitive: boolean
}

/** As HTTP/2's default setting, which we never change (SE-17). */
export const TABLE_MAX_BYTES = 4096
/** Of all fields of one block, decoded: a small block of references must not become a large list. */
export const FIELDS_MAX_BYTES = 32 * 1024
const FIELD_OVERHEAD_BYTES = 32

const staticTable = [
  ':authority|',
  ':method|GET',
  ':method|POST',
  ':path|/',
  ':path|/index.html',
  ':scheme|http',
  ':scheme|https',
  ':status|200',
  ':status|204',
  ':status|206',
  ':status|304',
  ':status|400',
  ':status|404',
  ':status|500',
  'accept-charset|',
  'accept-encoding|gzip, deflate',
  'accept-language|',
  'accept-ranges|',
  'accept|',
  'access-control-allow-origin|',
  'age|',
  'allow|',
  'authorization|',
  'cache-control|',
  'content-disposition|',
  'content-encoding|',
  'content-language|',
  'content-length|',
  'content-location|',
  'content-range|',
  'content-type|',
  'cookie|',
  'date|',
  'etag|',
  'expect|',
  'expires|',
  'from|',
  'host|',
  'if-match|',
  'if-modified-since|',
  'if-none-match|',
  'if-range|',
  'if-unmodified-since|',
  'last-modified|',
  'link|',
  'location|',
  'max-forwards|',
  'proxy-authenticate|',
  'proxy-authorization|',
  'range|',
  'referer|',
  'refresh|',
  'retry-after|',
  'server|',
  'set-cookie|',
  'strict-transport-security|',
  'transfer-encoding|',
  'user-agent|',
  'vary|',
  'via|',
  'www-authenticate|',
].map((row) => {
  const bar = row.indexOf('|')
  return { name: Buffer.from(row.slice(0, bar)), value: Buffer.from(row.slice(bar + 1)), sensitive: false }
})

/**
 * Decodes the header blocks of one direction of a connection, in order: each may change the table that the next refers to.
 *
 * @see RFC 7541
 */
export class HpackDecoder {
  #table: HeaderField[] = []
  #tableBytes = 0
  #tableMaxBytes = TABLE_MAX_BYTES

  /** @throws {@link SallyportError} `PROTOCOL_INVALID`; the connection cannot go on after that */
  decode(block: Buffer): HeaderField[] {
    const reader = new BlockReader(block)
    const fields: HeaderField[] = []
    let bytes = 0
    while (!reader.isAtEnd) {
      const field = this.#next(reader, fields.length === 0)
      if (field === undefined) continue
      bytes += sizeOf(field)
      if (bytes > FIELDS_MAX_BYTES) throw invalid('its fields are too large')
      fields.push(field)
    }
    return fields
  }

  /** One representation: a field, or a change of the table's size. */
  #next(reader: BlockReader, atStart: boolean): HeaderField | undefined {
    const first = reader.peek()
    if ((first & 0x80) !== 0) return this.#at(reader.integer(7))
    if ((first & 0x40) !== 0) {
      const field = this.#literal(reader, 6, false)
      this.#add(field)
      return field
    }
    if ((first & 0x20) === 0) return this.#literal(reader, 4, (first & 0x10) !== 0)
    if (!atStart) throw invalid('a change of the table comes after a field')
    const size = reader.integer(5)
    if (size > TABLE_MAX_BYTES) throw invalid('its table is larger than allowed')
    this.#tableMaxBytes = size
    this.#evict(0)
    return undefined
  }

  #literal(reader: BlockReader, prefixBits: number, sensitive: boolean): HeaderField {
    const index = reader.integer(prefixBits)
    const name = index === 0 ? reader.text() : this.#at(index).name
    return { name, value: reader.text(), sensitive }
  }

  #at(index: number): HeaderField {
    const field = index <= staticTable.length ? staticTable[index - 1] : this.#table[index - staticTable.length - 1]
    if (field === undefined) throw invalid('it refers to a field that is not in the table')
    return field
  }

  #add(field: HeaderField): void {
    const bytes = sizeOf(field)
    this.#evict(bytes)
    // A field larger than the whole table empties it and is not added (§4.4).
    if (bytes > this.#tableMaxBytes) return
    this.#table.unshift(field)
    this.#tableBytes += bytes
  }

  #evict(neededBytes: number): void {
    while (this.#table.length > 0 && this.#tableBytes + neededBytes > this.#tableMaxBytes) {
      this.#tableBytes -= sizeOf(this.#table.pop()!)
    }
  }
}

const sizeOf = ({ name, value }: HeaderField): number => name.length + value.length + FIELD_OVERHEAD_BYTES

class BlockReader {
  readonly #block: Buffer
  #at = 0

  constructor(block: Buffer) {
    this.#block = block
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#block.length
  }

  peek(): number {
    return this.#block[this.#at]!
  }

  /** §5.1; nothing here needs more than 21 bits. */
  integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1
    let value = this.#byte() & mask
    if (value < mask) return value
    for (let shift = 0; shift <= 14; shift += 7) {
      const byte = this.#byte()
      value += (byte & 0x7f) << shift
      if ((byte & 0x80) === 0) return value
    }
    throw invalid('a number is too large')
  }

  text(): Buffer {
    const isHuffman = !this.isAtEnd && (this.peek() & 0x80) !== 0
    const length = this.integer(7)
    if (this.#at + length > this.#block.length) throw invalid('a text is cut off')
    const bytes = this.#block.subarray(this.#at, this.#at + length)
    this.#at += length
    // A copy: fields outlive the buffer that they arrived in.
    return isHuffman ? decodeHuffman(bytes) : Buffer.from(bytes)
  }

  #byte(): number {
    const byte = this.#block[this.#at]
    if (byte === undefined) throw invalid('it is cut off')
    this.#at += 1
    return byte
  }
}

/** Encodes fields as literals without a table and without Huffman, so that the receiver keeps no state. */
export function encodeFields(fields: readonly HeaderField[]): Buffer {
  return Buffer.concat(
    fields.flatMap(({ name, value, sensitive }) => [
      Buffer.from([sensitive ? 0x10 : 0x00]),
      encodeInteger(name.length),
      name,
      encodeInteger(value.length),
      value,
    ]),
  )
}

/** A length with a prefix of seven bits and no Huffman mark. */
function encodeInteger(value: number): Buffer {
  if (value < 127) return Buffer.from([value])
  const bytes = [127]
  let rest = value - 127
  for (; rest >= 128; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

const invalid = (why: string): SallyportError =>
  new SallyportError('PROTOCOL_INVALID', `Cannot read a header block: ${why}`)
