import type { Code } from './codes.ts'

/** The longest request target, in bytes (ZO-50). */
export const TARGET_MAX_BYTES = 8192

/** A path that has one reading, cut at its slashes; or the code of why it has none. */
export type CanonicalPath =
  { readonly segments: readonly string[]; readonly hasTrailingSlash: boolean } | { readonly refused: Code }

/**
 * Reads a raw request target. What is ambiguous is refused, never repaired: what the application sees cannot be changed here.
 *
 * @see zones.md §3.6 steps 1 to 7; ZO-50, ZO-51
 */
export function canonicalPath(target: string): CanonicalPath {
  if (target.length > TARGET_MAX_BYTES) return tooLong
  if (target.charCodeAt(0) !== SLASH) return noSlash
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (forbidden.test(path)) return forbiddenChar
  const decoded = decodeEscapes(path)
  return typeof decoded === 'string' ? splitPath(decoded) : decoded
}

const SLASH = 0x2f
const refusal = (refused: Code): { readonly refused: Code } => ({ refused })
const tooLong = refusal('PATH_TOO_LONG')
const noSlash = refusal('PATH_NO_LEADING_SLASH')
const forbiddenChar = refusal('PATH_FORBIDDEN_CHAR')
const badEscape = refusal('PATH_BAD_ESCAPE')
const ambiguousEscape = refusal('PATH_AMBIGUOUS_ESCAPE')
const emptySegment = refusal('PATH_EMPTY_SEGMENT')
const dotSegment = refusal('PATH_DOT_SEGMENT')

/** Control characters, space, DEL and beyond ASCII; `#`, `\`, `;`. */
const forbidden = /[^!-~]|[#\\;]/

/** Escapes of `/ \ . ; # ? %`. */
const ambiguous: ReadonlySet<number> = new Set([0x2f, 0x5c, 0x2e, 0x3b, 0x23, 0x3f, 0x25])
const unreserved = /[A-Za-z0-9_~-]/

/** Decodes what needs no escape; keeps the others with upper-case digits; refuses the first that is bad or ambiguous. */
function decodeEscapes(path: string): string | { readonly refused: Code } {
  let decoded = ''
  let at = 0
  for (let percent = path.indexOf('%'); percent !== -1; percent = path.indexOf('%', at)) {
    decoded += path.slice(at, percent)
    const byte = escapedByte(path, percent)
    if (byte === undefined) return badEscape
    if (ambiguous.has(byte) || byte < 0x20 || byte === 0x7f) return ambiguousEscape
    const length = byte < 0x80 ? 1 : utf8Length(path, percent, byte)
    if (length === 0) return badEscape
    const character = String.fromCharCode(byte)
    at = percent + 3 * length
    decoded += unreserved.test(character) ? character : path.slice(percent, at).toUpperCase()
  }
  return decoded + path.slice(at)
}

function escapedByte(path: string, at: number): number | undefined {
  const digits = path.slice(at + 1, at + 3)
  return path[at] === '%' && /^[0-9A-Fa-f]{2}$/.test(digits) ? parseInt(digits, 16) : undefined
}

/** How many escapes from here on are one character of well-formed UTF-8 (RFC 3629); 0: none. */
function utf8Length(path: string, at: number, first: number): number {
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0
  for (let index = 1; index < length; index++) {
    const byte = escapedByte(path, at + 3 * index)
    const [low, high] = index === 1 ? secondByte(first) : [0x80, 0xbf]
    if (byte === undefined || byte < low || byte > high) return 0
  }
  return length
}

/** Without overlong forms, surrogates and what lies beyond U+10FFFF. */
function secondByte(first: number): readonly [number, number] {
  if (first === 0xe0) return [0xa0, 0xbf]
  if (first === 0xed) return [0x80, 0x9f]
  if (first === 0xf0) return [0x90, 0xbf]
  return first === 0xf4 ? [0x80, 0x8f] : [0x80, 0xbf]
}

function splitPath(path: string): CanonicalPath {
  const segments = path.slice(1).split('/')
  const hasTrailingSlash = segments.at(-1) === ''
  if (hasTrailingSlash) segments.pop()
  for (const segment of segments) {
    if (segment === '') return emptySegment
    if (segment === '.' || segment === '..') return dotSegment
  }
  return { segments, hasTrailingSlash }
}
