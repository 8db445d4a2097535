import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BitRows } from '../../../../src/policy/analysis/bit-rows.ts'
import { Closure } from '../../../../src/policy/analysis/closure.ts'

const anyGraph = fc
  .integer({ min: 1, max: 40 })
  .chain((count) => fc.array(fc.array(fc.nat(count - 1), { maxLength: 3 }), { minLength: count, maxLength: count }))

function breadthFirst(successors: readonly (readonly number[])[], start: number): number[] {
  const seen = new Set([start])
  for (const node of seen) for (const next of successors[node] ?? []) seen.add(next)
  return [...seen].sort((a, b) => a - b)
}

describe('Closure', () => {
  test('holds for each node what a breadth-first search finds', () => {
    fc.assert(
      fc.property(anyGraph, (successors) => {
        const closure = new Closure(successors)
        const row = new BitRows(1, successors.length)
        for (const node of successors.keys()) {
          row.clear(0)
          closure.addTo(row, 0, node)
          expect(row.list(0)).toEqual(breadthFirst(successors, node))
        }
      }),
    )
  })

  test('follows a long chain in its direction only', () => {
    const closure = new Closure(Array.from({ length: 3000 }, (_, at) => (at < 2999 ? [at + 1] : [])))
    expect(closure.has(0, 2999)).toBe(true)
    expect(closure.has(2999, 0)).toBe(false)
  })
})
