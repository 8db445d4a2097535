import { DerError, Tag } from './der.ts'
import type { DerReader } from './der-reader.ts'
import { element } from './der-writer.ts'

/** UTCTime has two digits for the year: 50 to 99 is 1950 to 1999, 00 to 49 is 2000 to 2049. */
const FIRST_UTC_YEAR = 1950
const LAST_UTC_YEAR = 2049

/** An instant as RFC 5280 §4.1.2.5 asks: UTCTime through 2049, GeneralizedTime after. Parts of a second are cut off. */
export function encodeTime(time: Date): Buffer {
  const digits = `${time.toISOString().slice(0, 19).replaceAll(/[-:T]/g, '')}Z`
  const year = time.getUTCFullYear()
  if (year >= FIRST_UTC_YEAR && year <= LAST_UTC_YEAR)
    return element(Tag.utcTime, Buffer.from(digits.slice(2), 'latin1'))
  return element(Tag.generalizedTime, Buffer.from(digits, 'latin1'))
}

/** Reads UTCTime `YYMMDDhhmmssZ` or GeneralizedTime `YYYYMMDDhhmmssZ`; nothing else is DER. */
export function readTime(reader: DerReader, field: string): Date {
  const isUtc = reader.isNext(Tag.utcTime)
  const content = reader.content(isUtc ? Tag.utcTime : Tag.generalizedTime, field)
  const yearDigits = isUtc ? 2 : 4
  if (content.length !== yearDigits + 11 || content[content.length - 1] !== 0x5a)
    throw new DerError(`${field} is not a time`)
  const shortYear = isUtc ? digitsAt(content, 0, field) : 0
  const year = isUtc
    ? shortYear + (shortYear >= FIRST_UTC_YEAR % 100 ? 1900 : 2000)
    : digitsAt(content, 0, field) * 100 + digitsAt(content, 2, field)
  const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((at) => digitsAt(content, yearDigits + at, field)) as [
    number,
    number,
    number,
    number,
    number,
  ]
  const time = new Date(0)
  time.setUTCFullYear(year, month - 1, day)
  time.setUTCHours(hour, minute, second)
  // A 31st of June or a 25th hour would roll over into another time.
  const isReal = time.getUTCMonth() === month - 1 && time.getUTCDate() === day && time.getUTCHours() === hour
  if (!isReal || minute > 59 || second > 59) throw new DerError(`${field} is not a time`)
  return time
}

function digitsAt(content: Buffer, at: number, field: string): number {
  const tens = content[at]! - 0x30
  const ones = content[at + 1]! - 0x30
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw new DerError(`${field} is not a time`)
  return tens * 10 + ones
}
