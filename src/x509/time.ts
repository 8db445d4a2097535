import { DerError, Tag } from './der.ts'
import type { DerReader } from './der-reader.ts'
import { element } from './der-writer.ts'

/** UTCTime has two digits for the year: 50 to 99 is 1950 to 1999, 00 to 49 is 2000 to 2049. */
const FIRST_UTC_YEAR = 1950
const LAST_UTC_YEAR = 2049
const DIGIT_0 = 0x30
const LETTER_Z = 0x5a

/** An instant as RFC 5280 §4.1.2.5 asks: UTCTime through 2049, GeneralizedTime after. Parts of a second are cut off. */
export function encodeTime(time: Date): Buffer {
  const year = time.getUTCFullYear()
  const isUtc = year >= FIRST_UTC_YEAR && year <= LAST_UTC_YEAR
  const content = Buffer.allocUnsafe(isUtc ? 13 : 15)
  let at = isUtc ? 0 : writeTwoDigits(content, 0, Math.floor(year / 100))
  at = writeTwoDigits(content, at, year % 100)
  at = writeTwoDigits(content, at, time.getUTCMonth() + 1)
  at = writeTwoDigits(content, at, time.getUTCDate())
  at = writeTwoDigits(content, at, time.getUTCHours())
  at = writeTwoDigits(content, at, time.getUTCMinutes())
  at = writeTwoDigits(content, at, time.getUTCSeconds())
  content[at] = LETTER_Z
  return element(isUtc ? Tag.utcTime : Tag.generalizedTime, content)
}

function writeTwoDigits(content: Buffer, at: number, value: number): number {
  content[at] = DIGIT_0 + Math.floor(value / 10)
  content[at + 1] = DIGIT_0 + (value % 10)
  return at + 2
}

/** Reads UTCTime `YYMMDDhhmmssZ` or GeneralizedTime `YYYYMMDDhhmmssZ`; nothing else is DER. */
export function readTime(reader: DerReader, field: string): Date {
  const isUtc = reader.isNext(Tag.utcTime)
  const content = reader.content(isUtc ? Tag.utcTime : Tag.generalizedTime, field)
  const yearDigits = isUtc ? 2 : 4
  if (content.length !== yearDigits + 11 || content[content.length - 1] !== LETTER_Z) {
    throw new DerError(`${field} is not a time`)
  }
  const year = isUtc
    ? fullYear(digitsAt(content, 0, field))
    : digitsAt(content, 0, field) * 100 + digitsAt(content, 2, field)
  const month = digitsAt(content, yearDigits, field)
  const day = digitsAt(content, yearDigits + 2, field)
  const hour = digitsAt(content, yearDigits + 4, field)
  const minute = digitsAt(content, yearDigits + 6, field)
  const second = digitsAt(content, yearDigits + 8, field)
  const time = new Date(0)
  time.setUTCFullYear(year, month - 1, day)
  time.setUTCHours(hour, minute, second)
  // A 31st of June or a 25th hour would roll over into another time.
  const isReal = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && time.getUTCHours() === hour
  if (!isReal || minute > 59 || second > 59) throw new DerError(`${field} is not a time`)
  return time
}

function fullYear(twoDigits: number): number {
  return twoDigits + (twoDigits >= FIRST_UTC_YEAR % 100 ? 1900 : 2000)
}

function digitsAt(content: Buffer, at: number, field: string): number {
  const tens = content[at]! - DIGIT_0
  const ones = content[at + 1]! - DIGIT_0
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw new DerError(`${field} is not a time`)
  return tens * 10 + ones
}
