import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Deadlines } from '../../../src/tls/deadlines.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'

describe('Deadlines', () => {
  test('calls each that was not taken back, at its time and in order, whatever the order they came in', async () => {
    const plans = fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 1_000 }), isTakenBack: fc.boolean() }))
    await fc.assert(
      fc.asyncProperty(plans, async (all) => {
        const clock = new FakeClock()
        const deadlines = new Deadlines(clock)
        const called: [number, number][] = []
        const handles = all.map(({ atMs }) => deadlines.add(atMs, () => called.push([atMs, clock.monotonicMs()])))
        for (const [index, { isTakenBack }] of all.entries()) if (isTakenBack) handles[index]![Symbol.dispose]()
        const expected = all.filter(({ isTakenBack }) => !isTakenBack).map(({ atMs }) => atMs)
        expect(deadlines.size).toBe(expected.length)
        await clock.advance(1_000)
        expect(called).toEqual(expected.toSorted((a, b) => a - b).map((atMs) => [atMs, atMs]))
        expect(deadlines.size).toBe(0)
      }),
      { numRuns: 50 },
    )
  })

  test('waits with one timer, however many there are', () => {
    const waiting = new Set<object>()
    class CountingClock extends FakeClock {
      override timer(): Disposable {
        const timer = { [Symbol.dispose]: () => void waiting.delete(timer) }
        waiting.add(timer)
        return timer
      }
    }
    const clock = new CountingClock()
    const deadlines = new Deadlines(clock)
    const handles = Array.from({ length: 1_000 }, (_, index) => deadlines.add(1_000 - index, () => {}))
    expect(waiting.size).toBe(1)
    for (const handle of handles) handle[Symbol.dispose]()
    expect(waiting.size).toBe(0)
  })

  test('one that is added while another is called has its turn', async () => {
    const clock = new FakeClock()
    const deadlines = new Deadlines(clock)
    const called: number[] = []
    deadlines.add(10, () => {
      called.push(clock.monotonicMs())
      deadlines.add(20, () => called.push(clock.monotonicMs()))
    })
    await clock.advance(30)
    expect(called).toEqual([10, 20])
  })
})
