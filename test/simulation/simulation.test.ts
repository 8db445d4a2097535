import { expect, test } from 'vitest'
import { simulate } from './simulate.ts'

/** Seeds of every run of the tests; `npm run simulate -- --seeds 100000` goes on from here. */
const SEEDS = 200
const GROUP = 20
const MINUTES = 6

const groups = Array.from({ length: SEEDS / GROUP }, (_, index) => 1 + index * GROUP)

test.for(groups)(
  'twenty seeds from %d: whatever fails, what was promised holds',
  { timeout: 300_000 },
  async (first) => {
    for (let seed = first; seed < first + GROUP; seed++) {
      const { failure, lines } = await simulate({ seed, mostMinutes: MINUTES })
      expect(
        failure,
        `npm run simulate -- --seed ${seed} --minutes ${MINUTES}\n${lines.slice(-40).join('\n')}`,
      ).toBeUndefined()
    }
  },
)

test('the same seed gives the same run', { timeout: 120_000 }, async () => {
  const [first, second, other] = [await simulate({ seed: 7 }), await simulate({ seed: 7 }), await simulate({ seed: 8 })]
  expect(second.digest).toBe(first.digest)
  expect(second.events).toBe(first.events)
  expect(other.digest).not.toBe(first.digest)
})
