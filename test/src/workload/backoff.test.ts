import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Backoff, SLOW_PACE } from '../../../src/workload/backoff.ts'

test('IO-38 pauses grow from 1 s to 30 s, a tenth more or less', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 40, maxLength: 40 }), (numbers) => {
      let index = 0
      const backoff = new Backoff(() => numbers[index++]!)
      for (let failures = 1; failures <= 40; failures++) {
        const middle = Math.min(failures, 30) * 1000
        const pause = backoff.nextPauseMs()
        expect(pause).toBeGreaterThanOrEqual(middle * 0.9)
        expect(pause).toBeLessThanOrEqual(middle * 1.1)
      }
    }),
  )
})

test('BE-16 at a slow pace they grow from 30 s to five minutes', () => {
  const backoff = new Backoff(() => 0.5, SLOW_PACE)
  const pauses = Array.from({ length: 12 }, () => backoff.nextPauseMs() / 1000)
  expect(pauses).toEqual([30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300])
})

test('IO-38 starts over after a success', () => {
  const backoff = new Backoff(() => 0.5)
  expect([backoff.nextPauseMs(), backoff.nextPauseMs()]).toEqual([1000, 2000])
  backoff.succeeded()
  expect(backoff.nextPauseMs()).toBe(1000)
})
