import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileWindow, isValid, nextEdge } from '../../../src/policy/windows.ts'
import { MINUTE } from './acme.ts'

const at = (text: string): number => Date.parse(text)
const open = (from: number, to: number, tz: string, text: string) =>
  compileWindow({ fromMinute: from, toMinute: to, tz }).isOpen(at(text))

/** The minute of the day as Intl says it: slow, and written by others. */
function minuteIn(tz: string, now: number): number {
  const [hour = '', minute = ''] = new Intl.DateTimeFormat('en-GB', {
    timeZone: tz,
    hour: '2-digit',
    minute: '2-digit',
  })
    .format(now)
    .split(':')
  return 60 * Number(hour) + Number(minute)
}

describe('a window', () => {
  test('ZO-22: is half-open', () => {
    expect(open(60, 180, 'UTC', '2026-11-20T00:59:59.999Z')).toBe(false)
    expect(open(60, 180, 'UTC', '2026-11-20T01:00:00Z')).toBe(true)
    expect(open(60, 180, 'UTC', '2026-11-20T02:59:59.999Z')).toBe(true)
    expect(open(60, 180, 'UTC', '2026-11-20T03:00:00Z')).toBe(false)
  })

  test('ZO-22: crosses midnight when from is later than to', () => {
    const times = ['21:59', '22:00', '23:59', '00:00', '01:59', '02:00']
    expect(times.map((time) => open(22 * 60, 2 * 60, 'UTC', `2026-11-20T${time}:00Z`))).toEqual([
      false,
      true,
      true,
      true,
      true,
      false,
    ])
  })

  test('ZO-22: follows its time zone through the changes of the clock', () => {
    const berlin = (text: string) => open(2 * 60, 3 * 60, 'Europe/Berlin', text)
    expect(berlin('2026-11-20T01:30:00Z')).toBe(true)
    expect(berlin('2026-07-20T01:30:00Z')).toBe(false)
    expect(berlin('2026-07-20T00:30:00Z')).toBe(true)
    // Twice in the night when the clock goes back, never when it goes forward.
    expect(['00:30', '01:30'].map((time) => berlin(`2026-10-25T${time}:00Z`))).toEqual([true, true])
    expect(['00:30', '01:30'].map((time) => berlin(`2026-03-29T${time}:00Z`))).toEqual([false, false])
  })

  test('is read from the first instant on', () => {
    expect([5, 6].map((hour) => open(hour * 60, hour * 60 + 60, 'Asia/Kathmandu', '1970-01-01T00:00:00Z'))).toEqual([
      true,
      false,
    ])
  })

  test('agrees with Intl in any zone at any time', () => {
    const zone = fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'America/St_Johns',
      'Asia/Kathmandu',
      'Australia/Lord_Howe',
      'Pacific/Chatham',
    )
    const instant = fc.integer({ min: at('2024-01-01T00:00:00Z'), max: at('2030-01-01T00:00:00Z') })
    const minute = fc.nat(1439)
    fc.assert(
      fc.property(zone, instant, minute, minute, (tz, now, fromMinute, toMinute) => {
        const local = minuteIn(tz, now)
        const expected =
          fromMinute < toMinute ? local >= fromMinute && local < toMinute : local >= fromMinute || local < toMinute
        expect(compileWindow({ fromMinute, toMinute, tz }).isOpen(now)).toBe(expected)
      }),
    )
  })

  test('does not change before the next change that it tells', () => {
    const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'America/St_Johns')
    const change = at('2026-10-25T01:00:00Z')
    const instant = fc.integer({ min: change - 40 * 3_600_000, max: change + 40 * 3_600_000 })
    fc.assert(
      fc.property(
        zone,
        instant,
        fc.nat(1439),
        fc.nat(1439),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (tz, now, fromMinute, toMinute, share) => {
          const window = compileWindow({ fromMinute, toMinute, tz })
          const next = window.nextChange(now)
          expect(next).toBeGreaterThan(now)
          const between = Math.floor(now + share * (next - 1 - now))
          expect(window.isOpen(between)).toBe(window.isOpen(now))
        },
      ),
    )
  })

  test('tells the minute of its end', () => {
    const window = compileWindow({ fromMinute: 60, toMinute: 180, tz: 'Europe/Berlin' })
    expect(window.nextChange(at('2026-11-20T00:30:15Z'))).toBe(at('2026-11-20T02:00:00Z'))
    expect(window.nextChange(at('2026-11-20T02:00:00Z'))).toBe(at('2026-11-21T00:00:00Z'))
  })

  test('looks again at the next quarter of an hour where the clock is changed before the minute of its end', () => {
    // From 01:00Z on it is 02:00 once more in Berlin: a window that opened at 02:30 closes until 02:30 comes again.
    const window = compileWindow({ fromMinute: 150, toMinute: 210, tz: 'Europe/Berlin' })
    const steps = ['00:30', '00:40', '00:45', '00:59', '01:00'].map((time) => at(`2026-10-25T${time}:00Z`))
    expect(steps.map((now) => new Date(window.nextChange(now)).toISOString().slice(11, 16))).toEqual([
      '00:45',
      '00:45',
      '01:00',
      '01:00',
      '01:30',
    ])
    expect(steps.map((now) => window.isOpen(now))).toEqual([true, true, true, true, false])
  })

  test('an unknown time zone is refused', () => {
    expect(() => compileWindow({ fromMinute: 0, toMinute: 1, tz: 'Mars/Olympus' })).toThrow(
      expect.objectContaining({ code: 'POLICY_INVALID' }),
    )
  })
})

test('ZO-22: validity is half-open, and its next edge is what is left of it', () => {
  const now = 10 * MINUTE
  expect([now, now + 1].map((from) => isValid({ from, until: undefined }, now))).toEqual([true, false])
  expect([now, now + 1].map((until) => isValid({ from: undefined, until }, now))).toEqual([false, true])
  expect(nextEdge({ from: now + 1, until: now + 2 }, now)).toBe(now + 1)
  expect(nextEdge({ from: now, until: now + 2 }, now)).toBe(now + 2)
  expect(nextEdge({ from: undefined, until: now }, now)).toBe(Infinity)
})
