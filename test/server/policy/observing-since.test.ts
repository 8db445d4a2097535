import { expect, test } from 'vitest'
import { ObservingSince } from '../../../server/policy/observing-since.ts'
import type { PolicyRevisionRow } from '../../../server/store/policy-rows.ts'
import { readPolicy } from '../../../src/policy-file/read-policy.ts'
import { shopPolicy } from './shop-policy.ts'

const DAY_MS = 86_400_000
const NOW = 1000 * DAY_MS

/** Revisions from the oldest: how many days ago, and which zones observe. */
function storeOf(...revisions: readonly (readonly [daysAgo: number, ...observing: string[]])[]) {
  const { zones, ...rest } = readPolicy(shopPolicy())
  const rows = revisions.map(
    ([daysAgo, ...observing], at) =>
      ({
        revision: at + 1,
        appliedAtMs: NOW - daysAgo * DAY_MS,
        policy: {
          ...rest,
          zones: zones.map((zone) => ({ ...zone, mode: observing.includes(zone.id) ? 'observe' : 'enforce' })),
        },
      }) as unknown as PolicyRevisionRow,
  )
  let asked = 0
  return {
    at: (revision: number) => rows[revision - 1] as PolicyRevisionRow,
    asked: () => asked,
    policyRevisions: async ({ before = Infinity, limit }: { before?: number; limit: number }) => {
      asked++
      return rows
        .filter(({ revision }) => revision < before)
        .toReversed()
        .slice(0, limit)
    },
  }
}

const daysOf = async (since: ObservingSince, row: PolicyRevisionRow): Promise<unknown> =>
  Object.fromEntries([...(await since.of(row, NOW))].map(([zone, ms]) => [zone, (NOW - ms) / DAY_MS]))

test('a zone observes since the revision from which on all say so', async () => {
  const store = storeOf([50, 'web'], [40], [30, 'web'], [20, 'web', 'shop'], [10, 'web', 'shop'])
  expect(await daysOf(new ObservingSince(store), store.at(5))).toEqual({ web: 30, shop: 20 })
  expect(await daysOf(new ObservingSince(store), store.at(2))).toEqual({})
})

test('revisions older than the patience with zones that observe are not read', async () => {
  const long = storeOf(...Array.from({ length: 200 }, (_, at): [number, string] => [500 - at, 'web']), [1, 'web'])
  const since = new ObservingSince(long)
  expect(await daysOf(since, long.at(201))).toMatchObject({ web: expect.toSatisfy((days: number) => days > 60) })
  expect(long.asked()).toBe(1)
})

test('what was found for one revision is used for the next', async () => {
  const store = storeOf(...Array.from({ length: 50 }, (_, at): [number, string] => [55 - at, 'web']))
  const since = new ObservingSince(store)
  expect(await daysOf(since, store.at(49))).toEqual({ web: 55 })
  const before = store.asked()
  expect(await daysOf(since, store.at(50))).toEqual({ web: 55 })
  expect(await daysOf(since, store.at(50))).toEqual({ web: 55 })
  expect(store.asked()).toBe(before + 1)
})
