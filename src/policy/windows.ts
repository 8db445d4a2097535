import { SallyportError } from '../errors.ts'
import { BoundedCache } from './bounded-cache.ts'
import type { Validity, Window } from './policy-set.ts'

const MINUTE_MS = 60_000
const DAY_MINUTES = 24 * 60
const DAY_MS = DAY_MINUTES * MINUTE_MS
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
const zones = new BoundedCache<string, (now: number) => number>(1024)
/** Now and the next edge are asked for in turn, for a long time the same two. */
const QUARTERS_KEPT = 64

const offsetsOf = (tz: string): ((now: number) => number) => zones.get(tz) ?? zones.keep(tz, readerOf(formatOf(tz)))

/** How far a time zone is ahead of UTC at an instant, in milliseconds, modulo a day: only times of the day are asked for. */
function readerOf(format: Intl.DateTimeFormat): (now: number) => number {
  const known = new BoundedCache<number, number>(QUARTERS_KEPT)
  return (now) => {
    const quarter = Math.floor(now / QUARTER_MS)
    return known.get(quarter) ?? known.keep(quarter, readOffset(format, quarter * QUARTER_MS))
  }
}

function formatOf(tz: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: tz,
      hourCycle: 'h23',
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
  const { hour = 0, minute = 0 } = parts
  const local = (60 * hour + minute) * MINUTE_MS
  return (local - (instant % DAY_MS) + DAY_MS) % DAY_MS
}

/** Half-open (ZO-22). */
export const isValid = ({ from = -Infinity, until = Infinity }: Validity, now: number): boolean =>
  from <= now && now < until

/** The next edge of a validity; Infinity: none is left. */
export function nextEdge({ from = -Infinity, until = Infinity }: Validity, now: number): number {
  if (from > now) return from
  return until > now ? until : Infinity
}
