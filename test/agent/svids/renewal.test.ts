import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dueForRenewal } from '../../../agent/svids/renewal.ts'
import { backoffMs, renewalTime } from '../../../agent/upstream/timing.ts'

const random = (fraction: number) => (bytes: number) => {
  const buffer = Buffer.alloc(bytes)
  buffer.writeUInt32BE(Math.min(Math.floor(fraction * 2 ** 32), 2 ** 32 - 1))
  return buffer
}
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('renewalTime()', () => {
  test('is half-life, give or take a twentieth of the life', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10_000, max: 10 ** 9 }), fraction, (lifeMs, drawn) => {
        // What servers date back is no part of the life: a short-lived SVID must not be due the moment it is issued.
        const at = renewalTime(new Date(-10_000), new Date(lifeMs), random(drawn)).getTime()
        expect(at).toBeGreaterThanOrEqual(Math.floor(lifeMs * 0.45))
        expect(at).toBeLessThanOrEqual(Math.ceil(lifeMs * 0.55))
      }),
    )
  })
})

test('a life shorter than what is dated back is renewed before its end, not at once', () => {
  const at = renewalTime(new Date(-10_000), new Date(8000), random(0)).getTime()
  expect(at).toBeGreaterThan(2000)
  expect(at).toBeLessThan(8000)
})

test('what is past half-life, or nearly over, on arrival is not due at once', () => {
  const late = renewalTime(new Date(-10_000), new Date(100_000), random(0.5), new Date(80_000)).getTime()
  expect(late).toBe(90_000)
  expect(renewalTime(new Date(0), new Date(100_000), random(0), new Date(99_999)).getTime()).toBe(100_999)
})

describe('dueForRenewal()', () => {
  test('names exactly those whose time has come, soonest to expire first', () => {
    const held = fc.record({ renewAt: fc.date({ noInvalidDate: true }), notAfter: fc.date({ noInvalidDate: true }) })
    fc.assert(
      fc.property(fc.array(held), fc.date({ noInvalidDate: true }), (all, now) => {
        const due = dueForRenewal(all, now)
        expect(new Set(due)).toEqual(new Set(all.filter(({ renewAt }) => renewAt <= now)))
        const ends = due.map(({ notAfter }) => notAfter.getTime())
        expect(ends).toEqual(ends.toSorted((a, b) => a - b))
      }),
    )
  })
})

describe('backoffMs()', () => {
  test('grows to its limit, never to nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fraction, (failures, drawn) => {
        const wait = backoffMs(failures, 500, 30_000, random(drawn))
        expect(wait).toBeGreaterThanOrEqual(125)
        expect(wait).toBeLessThanOrEqual(30_000)
      }),
    )
  })
})
