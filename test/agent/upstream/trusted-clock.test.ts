import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TrustedClock } from '../../../agent/upstream/trusted-clock.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'

describe('TrustedClock', () => {
  test('SE-20 is never earlier than what the server said plus the time since, however the wall clock is set', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.record({ jump: fc.integer({ min: -(10 ** 9), max: 10 ** 9 }) }),
            fc.record({ pass: fc.integer({ min: 0, max: 100_000 }) }),
            fc.record({ says: fc.integer({ min: 0, max: 2 * 10 ** 12 }) }),
          ),
          { maxLength: 20 },
        ),
        async (steps) => {
          const wall = new FakeClock()
          const clock = new TrustedClock(wall)
          let leastMs = -Infinity
          for (const step of steps) {
            if ('jump' in step) wall.jump(step.jump)
            else if ('says' in step) {
              clock.observe(new Date(step.says))
              leastMs = Math.max(leastMs, step.says)
            } else {
              await wall.advance(step.pass)
              leastMs += step.pass
            }
            expect(clock.now().getTime()).toBe(Math.max(leastMs, wall.now().getTime()))
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  test('tells how far the wall clock is from the server', () => {
    const wall = new FakeClock(new Date(1_000_000))
    const clock = new TrustedClock(wall)
    expect(clock.skewMs).toBe(0)
    clock.observe(new Date(1_090_000))
    expect(clock.skewMs).toBe(-90_000)
  })
})
