import { SallyportError } from '../../src/errors.ts'

/** Go's layout `2006-01-02 15:04:05 -0700 -07`, in which SPIRE's CLI writes instants. */
const LAYOUT = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d) ([+-]\d\d)$/

/**
 * Reads an instant in SPIRE's layout.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`: a filter that is ignored would list, and purge, everything
 */
export function parseGoTime(text: string, field: string): Date {
  const match = LAYOUT.exec(text)
  if (match === null) throw malformed(text, field)
  const [, year, month, day, hours, minutes, seconds, sign, zoneHours, zoneMinutes, zone] = match
  if (zone !== `${sign ?? ''}${zoneHours ?? ''}` || Number(zoneHours) > 23 || Number(zoneMinutes) > 59) {
    throw malformed(text, field)
  }
  const time = Date.parse(
    `${year ?? ''}-${month ?? ''}-${day ?? ''}T${hours ?? ''}:${minutes ?? ''}:${seconds ?? ''}${sign ?? ''}${zoneHours ?? ''}:${zoneMinutes ?? ''}`,
  )
  // Date.parse lets 31 February pass as 3 March.
  if (
    Number.isNaN(time) ||
    new Date(Date.UTC(Number(year), Number(month) - 1, Number(day))).getUTCDate() !== Number(day)
  ) {
    throw malformed(text, field)
  }
  return new Date(time)
}

const malformed = (text: string, field: string): SallyportError =>
  new SallyportError('REQUEST_INVALID', `Cannot read ${field} ${JSON.stringify(text.slice(0, 64))}`, {
    hint: 'Write it as 2006-01-02 15:04:05 -0700 -07.',
  })
