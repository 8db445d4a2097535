import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LIMITED_KEYS_MAX, RateLimit } from '../../../server/access/rate-limit.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'

describe('RateLimit', () => {
  test('never lets through more than the burst and the rate together allow', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(fc.record({ waitMs: fc.nat(2000), count: fc.integer({ min: 1, max: 25 }) }), { maxLength: 40 }),
        async (perSecond, burst, requests) => {
          const clock = new FakeClock()
          const limit = new RateLimit({ name: 'x', perSecond, burst, maxWaitMs: 0 }, clock)
          let given = 0
          for (const { waitMs, count } of requests) {
            await clock.advance(waitMs)
            try {
              limit.reserve('key', count)
              given += count
            } catch {
              // refused, which is what this is about
            }
            expect(given).toBeLessThanOrEqual(burst + (clock.monotonicMs() * perSecond) / 1000 + 1e-6)
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  test('lets callers wait their turn, and refuses those who would wait too long', () => {
    const limit = new RateLimit({ name: 'x', perSecond: 10, burst: 1, maxWaitMs: 250 }, new FakeClock())
    expect([1, 2, 3].map(() => Math.round(limit.reserve('a', 1)))).toEqual([0, 100, 200])
    expect(() => limit.reserve('a', 1)).toThrowCode('LIMIT_REACHED', 'more than 10 a second (x)')
    expect(limit.reserve('b', 1)).toBe(0)
  })

  test('SE-16 remembers a bounded number of callers, the idle ones not at all', async () => {
    const clock = new FakeClock()
    const limit = new RateLimit({ name: 'x', perSecond: 1, burst: 1, maxWaitMs: 0 }, clock)
    for (let index = 0; index < LIMITED_KEYS_MAX; index++) limit.reserve(`10.0.${index}`, 1)
    // Beyond that all strangers share one allowance.
    limit.reserve('stranger 1', 1)
    expect(() => limit.reserve('stranger 2', 1)).toThrowCode('LIMIT_REACHED')
    expect(limit.keyCount).toBeLessThanOrEqual(LIMITED_KEYS_MAX + 1)
    await clock.advance(1000)
    limit.reserve('stranger 3', 1)
    expect(limit.keyCount).toBe(1)
  })
})
