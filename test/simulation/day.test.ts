import { expect, test } from 'vitest'
import { simulateDay } from './day.ts'

test(
  'a day of 10 agents and 50 workloads passes, and nobody is ever without a valid identity',
  { timeout: 300_000 },
  async () => {
    const { failure, updates } = await simulateDay(1)
    expect(failure).toBeUndefined()
    // 50 workloads, each given a new SVID of an hour about every half of one.
    expect(updates).toBeGreaterThan(2_200)
    expect(updates).toBeLessThan(2_800)
  },
)
