import { Tag } from './der.ts'

/** One element with these parts as its content, one after the other. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  const headerSize = length < 0x80 ? 2 : length < 0x100 ? 3 : length < 0x10000 ? 4 : 5
  const bytes = Buffer.allocUnsafe(headerSize + length)
  bytes[0] = tag
  if (headerSize === 2) bytes[1] = length
  else {
    bytes[1] = 0x80 + headerSize - 2
    bytes.writeUIntBE(length, 2, headerSize - 2)
  }
  let at = headerSize
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(Tag.sequence, ...parts)
}

/** A SET OF: its parts in DER's order. */
export function setOf(...parts: readonly Uint8Array[]): Buffer {
  return element(Tag.set, ...parts.toSorted((a, b) => Buffer.compare(a, b)))
}

/** `[number] EXPLICIT`, or the constructed form of an implicit tag. */
export function tagged(number: number, ...parts: readonly Uint8Array[]): Buffer {
  return element(0xa0 | number, ...parts)
}

/** An unsigned integer. */
export function integer(value: bigint): Buffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return bytes[0]! >= 0x80 ? element(Tag.integer, Buffer.of(0), bytes) : element(Tag.integer, bytes)
}

export const TRUE: Buffer = element(Tag.boolean, Buffer.of(0xff))
export const NULL: Buffer = element(Tag.null)

/** An object identifier from its dotted text. */
export function oid(dotted: string): Buffer {
  return element(Tag.oid, oidContent(dotted))
}

export function oidContent(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return Buffer.from([first * 40 + second, ...rest].flatMap(base128))
}

function base128(arc: number): number[] {
  const digits = [arc % 0x80]
  for (let rest = Math.floor(arc / 0x80); rest > 0; rest = Math.floor(rest / 0x80)) digits.unshift(0x80 + (rest % 0x80))
  return digits
}

/** The dotted text of the content of an object identifier. */
export function dottedOid(content: Buffer): string {
  const arcs: bigint[] = []
  let arc = 0n
  for (const byte of content) {
    arc = arc * 0x80n + BigInt(byte & 0x7f)
    if (byte >= 0x80) continue
    arcs.push(arc)
    arc = 0n
  }
  const [head = 0n, ...rest] = arcs
  const first = head < 80n ? head / 40n : 2n
  return [first, head - first * 40n, ...rest].join('.')
}

export function octetString(...parts: readonly Uint8Array[]): Buffer {
  return element(Tag.octetString, ...parts)
}

/** A bit string of whole bytes. */
export function bitString(bytes: Uint8Array): Buffer {
  return element(Tag.bitString, Buffer.of(0), bytes)
}

/** A bit string of named bits, the first bit at index 0; zeros at the end are left out as DER asks. */
export function namedBits(indexes: readonly number[]): Buffer {
  const last = Math.max(-1, ...indexes)
  const bytes = Buffer.alloc(Math.ceil((last + 1) / 8))
  for (const index of indexes) bytes[index >> 3]! |= 0x80 >> (index & 7)
  return element(Tag.bitString, Buffer.of(bytes.length * 8 - last - 1), bytes)
}
