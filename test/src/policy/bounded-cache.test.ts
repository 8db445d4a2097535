import { expect, test } from 'vitest'
import { BoundedCache } from '../../../src/policy/bounded-cache.ts'

test('a bounded cache keeps as many as its limit, and none of them when one more comes', () => {
  const cache = new BoundedCache<string, number>(2)
  const kept = () => ['a', 'b', 'c'].map((key) => cache.get(key))
  expect([cache.keep('a', 1), cache.keep('b', 2)]).toEqual([1, 2])
  expect(kept()).toEqual([1, 2, undefined])
  cache.keep('c', 3)
  expect(kept()).toEqual([undefined, undefined, 3])
})
