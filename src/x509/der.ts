import { isUtf8 } from 'node:buffer'

/** ASN.1 tags as they stand in the first byte of an element. */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** The deepest nesting that is read. Certificates need about ten levels. */
export const DER_MAX_DEPTH = 24

const CONSTRUCTED = 0x20
const CLASS_MASK = 0xc0
const LONG_TAG = 0x1f
/** SEQUENCE and SET: the universal types that are constructed, and always are. */
const SEQUENCE_NUMBER = 0x10
const SET_NUMBER = 0x11

/** Bytes that are not strict DER. Stays inside this room: a decoder says whose bytes they were. */
export class DerError extends Error {}

/** How many bytes the length field at `at` takes; refuses indefinite and non-minimal lengths and 16 MiB or more. */
export function lengthSize(bytes: Buffer, at: number, end: number): number {
  if (at >= end) throw new DerError('an element ends before its length')
  const first = bytes[at]!
  if (first < 0x80) return 1
  if (first === 0x80) throw new DerError('an element has an indefinite length')
  const size = first & 0x7f
  if (size > 3) throw new DerError('an element is too long')
  if (at + size >= end) throw new DerError('an element ends before its length')
  if (bytes[at + 1] === 0 || (size === 1 && bytes[at + 1]! < 0x80)) throw new DerError('a length is not minimal')
  return size + 1
}

/** The position after the element whose length field of `size` bytes stands at `at`. */
export function contentEnd(bytes: Buffer, at: number, size: number, end: number): number {
  const length = size === 1 ? bytes[at]! : bytes.readUIntBE(at + 1, size - 1)
  const after = at + size + length
  if (after > end) throw new DerError('an element is longer than what holds it')
  return after
}

/**
 * Checks that these bytes are exactly one element in DER, down to the leaves, parts included that nobody interprets:
 * some clients decode and encode certificates again, and a signature over anything non-canonical would break there.
 */
export function checkDer(bytes: Buffer): void {
  if (checkElement(bytes, 0, bytes.length, 0) !== bytes.length) throw new DerError('bytes follow the last element')
}

function checkElement(bytes: Buffer, at: number, end: number, depth: number): number {
  const tag = bytes[at]
  if (tag === undefined) throw new DerError('it is empty')
  if ((tag & LONG_TAG) === LONG_TAG) throw new DerError('an element has a long tag')
  const size = lengthSize(bytes, at + 1, end)
  const start = at + 1 + size
  const after = contentEnd(bytes, at + 1, size, end)
  const isConstructed = (tag & CONSTRUCTED) !== 0
  if ((tag & CLASS_MASK) === 0) checkUniversal(bytes, tag, start, after, isConstructed)
  if (isConstructed) checkChildren(bytes, start, after, depth + 1, tag === Tag.set)
  return after
}

function checkChildren(bytes: Buffer, start: number, end: number, depth: number, isSorted: boolean): void {
  if (depth > DER_MAX_DEPTH) throw new DerError(`elements are nested deeper than ${DER_MAX_DEPTH}`)
  let previous = -1
  for (let at = start; at < end;) {
    const next = checkElement(bytes, at, end, depth)
    if (isSorted && previous !== -1 && bytes.compare(bytes, at, next, previous, at) > 0) {
      throw new DerError('a set is not in order')
    }
    previous = at
    at = next
  }
}

function checkUniversal(bytes: Buffer, tag: number, start: number, end: number, isConstructed: boolean): void {
  const number = tag & LONG_TAG
  if (isConstructed !== (number === SEQUENCE_NUMBER || number === SET_NUMBER)) {
    throw new DerError('a simple element is constructed, or a sequence is not')
  }
  switch (tag) {
    case 0:
      throw new DerError('an end-of-contents mark stands in the bytes')
    case Tag.boolean:
      return checkBoolean(bytes, start, end)
    case Tag.integer:
    case Tag.enumerated:
      return checkInteger(bytes, start, end)
    case Tag.bitString:
      return checkBitString(bytes, start, end)
    case Tag.oid:
      return checkOid(bytes, start, end)
    case Tag.null:
      if (start !== end) throw new DerError('a null has content')
      return
    case Tag.utf8String:
      if (!isUtf8(bytes.subarray(start, end))) throw new DerError('a UTF-8 string is not UTF-8')
  }
}

export function checkBoolean(bytes: Buffer, start: number, end: number): void {
  const isCanonical = end === start + 1 && (bytes[start] === 0x00 || bytes[start] === 0xff)
  if (!isCanonical) throw new DerError('a boolean is neither 00 nor FF')
}

export function checkInteger(bytes: Buffer, start: number, end: number): void {
  if (start === end) throw new DerError('an integer is empty')
  if (end - start === 1) return
  const first = bytes[start]!
  const nextIsNegative = bytes[start + 1]! >= 0x80
  if ((first === 0x00 && !nextIsNegative) || (first === 0xff && nextIsNegative)) {
    throw new DerError('an integer is not minimal')
  }
}

export function checkBitString(bytes: Buffer, start: number, end: number): void {
  const unused = bytes[start]
  if (start === end || unused === undefined || unused > 7)
    throw new DerError('a bit string has no count of unused bits')
  if (unused > 0 && (end - start === 1 || (bytes[end - 1]! & ((1 << unused) - 1)) !== 0)) {
    throw new DerError('a bit string has unused bits that are set')
  }
}

export function checkOid(bytes: Buffer, start: number, end: number): void {
  if (start === end || bytes[end - 1]! >= 0x80) throw new DerError('an object identifier is cut off')
  for (let at = start, isArcStart = true; at < end; at++) {
    if (isArcStart && bytes[at] === 0x80) throw new DerError('an object identifier is not minimal')
    isArcStart = bytes[at]! < 0x80
  }
}
