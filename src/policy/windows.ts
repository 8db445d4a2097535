import { SallyportError } from '../errors.ts'
import type { Validity, Window } from './policy-set.ts'

const MINUTE_MS = 60_000
const DAY_MINUTES = 24 * 60
/** Offsets of time zones change at whole quarters of an hour only, so one look-up serves a quarter. */
const QUARTER_MS = 15 * MINUTE_MS

/** A daily window that can be asked without a call to Intl for each answer. */
export interface CompiledWindow {
  isOpen(now: number): boolean
  /** The next instant at which it may open or close; never later than it does, never now. */
  nextChange(now: number): number
}

/** @see zones.md ZO-22 */
export function compileWindow({ fromMinute, toMinute, tz }: Window): CompiledWindow {
  const offsetAt = tz === 'UTC' ? () => 0 : offsetsOf(tz)
  const isOpen = (now: number): boolean => {
    const minute = minuteOfDay(now + offsetAt(now))
    // From later than to: it crosses midnight.
    return fromMinute < toMinute ? minute >= fromMinute && minute < toMinute : minute >= fromMinute || minute < toMinute
  }
  const nextChange = (now: number): number => {
    const offset = offsetAt(now)
    const until = (edge: number): number => (edge - minuteOfDay(now + offset) + DAY_MINUTES - 1) % DAY_MINUTES
    const minutes = Math.min(until(fromMinute), until(toMinute)) + 1
    const next = (Math.floor(now / MINUTE_MS) + minutes) * MINUTE_MS
    // The clock is changed before then: look again at the next quarter.
    return offsetAt(next) === offset ? next : Math.min(next, (Math.floor(now / QUARTER_MS) + 1) * QUARTER_MS)
  }
  return { isOpen, nextChange }
}

const minuteOfDay = (local: number): number => Math.floor(local / MINUTE_MS) % DAY_MINUTES

/** Time zones that were asked for: many conduits share few of them, and each costs as much as a thousand decisions. */
const zones = new Map<string, (now: number) => number>()
const ZONES_KEPT = 1024

function offsetsOf(tz: string): (now: number) => number {
  let offsets = zones.get(tz)
  if (offsets === undefined) {
    if (zones.size >= ZONES_KEPT) zones.clear()
    zones.set(tz, (offsets = readerOf(formatOf(tz))))
  }
  return offsets
}

/** The offset of a time zone at an instant, in milliseconds. */
function readerOf(format: Intl.DateTimeFormat): (now: number) => number {
  const known = new Map<number, number>()
  return (now) => {
    const quarter = Math.floor(now / QUARTER_MS)
    let offset = known.get(quarter)
    if (offset === undefined) {
      // Now and the next edge are asked for in turn, for a long time the same two.
      if (known.size >= 64) known.clear()
      known.set(quarter, (offset = readOffset(format, quarter * QUARTER_MS)))
    }
    return offset
  }
}

function formatOf(tz: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: tz,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    })
  } catch (cause) {
    throw new SallyportError(
      'POLICY_INVALID',
      `Cannot use time zone ${JSON.stringify(tz.slice(0, 80))}: it is unknown`,
      {
        hint: 'Write a name of the IANA database, such as Europe/Berlin.',
        cause,
      },
    )
  }
}

function readOffset(format: Intl.DateTimeFormat, instant: number): number {
  const parts = Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]))
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts
  return Date.UTC(year, month - 1, day, hour, minute) - instant
}

/** Half-open (ZO-22). */
export const isValid = ({ from, until }: Validity, now: number): boolean =>
  (from === undefined || from <= now) && (until === undefined || now < until)

/** The next edge of a validity; Infinity: none is left. */
export function nextEdge({ from, until }: Validity, now: number): number {
  if (from !== undefined && from > now) return from
  return until !== undefined && until > now ? until : Infinity
}
