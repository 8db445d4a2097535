import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PolicySet } from '../../../src/policy/policy-set.ts'
import { resolveMembership } from '../../../src/policy/resolve-membership.ts'
import { SliceIndex } from '../../../src/policy/slice-index.ts'
import { sliceOf } from '../../../src/policy/slice.ts'
import { slicesConcerned } from '../../../src/policy/slices-concerned.ts'
import { acme, conduit, idOf, rowsOf, rule } from './acme.ts'
import { anyWorld, type SmallWorld } from './small-world.ts'

const between = (before: PolicySet, after: PolicySet) =>
  slicesConcerned(new SliceIndex(before, rowsOf(before)), new SliceIndex(after, rowsOf(after)))

const indexOf = ({ entries }: SmallWorld, set: PolicySet): SliceIndex =>
  new SliceIndex(set, resolveMembership(set, entries))

describe('slicesConcerned()', () => {
  test('a rule concerns its subjects and its service', () => {
    const more = { ...acme, rules: [...acme.rules, rule('new', [{ pattern: '/ns/web/sa/blog' }], 'orders')] }
    const two = new Set([idOf('/ns/web/sa/blog'), idOf('/ns/shop/sa/orders')])
    expect(between(acme, more)).toEqual(two)
    expect(between(more, acme)).toEqual(two)
  })

  test('a conduit concerns the zones at its ends, and who takes forwarded tokens', () => {
    const concerned = between(acme, { ...acme, conduits: [...acme.conduits, conduit('new', 'legacy', 'shop')] })
    expect(concerned).toContain(idOf('/ns/shop/sa/orders'))
    expect(concerned).toContain(idOf('/ns/pay/sa/ledger'))
    expect(concerned).not.toContain(idOf('/ns/web/sa/blog'))
  })

  test('owner, tests and invariants concern nobody, every other part all', () => {
    expect(between(acme, { ...acme, owner: 'group:other', tests: [], invariants: [] })).toEqual(new Set())
    for (const change of [{ name: 'other' }, { guards: [] }, { zones: acme.zones.slice(1) }, { services: [] }]) {
      expect(between(acme, { ...acme, ...change })).toBe('all')
    }
  })

  test('a label that is read for the first time concerns all', () => {
    const reads = rule('new', [{ pattern: '/ns/web/sa/blog' }], 'orders', { when: 'src.labels["colour"] == "red"' })
    expect(between(acme, { ...acme, rules: [...acme.rules, reads] })).toBe('all')
  })

  test('whose slice is another one is concerned', () => {
    let told = 0
    fc.assert(
      fc.property(anyWorld, anyWorld, fc.boolean(), fc.boolean(), (world, other, rules, conduits) => {
        const { set } = world
        const changed = {
          ...set,
          ...(rules ? { rules: other.set.rules } : {}),
          ...(conduits ? { conduits: other.set.conduits } : {}),
        }
        const [before, after] = [indexOf(world, set), indexOf(world, changed)]
        const concerned = slicesConcerned(before, after)
        if (concerned === 'all') return
        told++
        for (const { spiffeId } of before.rows) {
          if (!concerned.has(spiffeId)) expect(sliceOf(after, spiffeId)).toEqual(sliceOf(before, spiffeId))
        }
      }),
      { numRuns: 1000 },
    )
    expect(told).toBeGreaterThan(100)
  })

  test('an index that follows another is as one made anew, also when rows of the other change', () => {
    let followed = 0
    fc.assert(
      fc.property(anyWorld, anyWorld, ({ set, entries }, other) => {
        const after = { ...set, rules: other.set.rules, conduits: other.set.conduits, services: other.set.services }
        const [rows, later] = [resolveMembership(set, entries), resolveMembership(set, other.entries)]
        const before = new SliceIndex(set, rows)
        const next = before.followedBy(after)
        if (next === undefined) return
        followed++
        for (const { spiffeId } of rows) sliceOf(next, spiffeId)
        for (const { spiffeId } of rows) before.remove(spiffeId)
        for (const row of later) before.put(row)
        const anew = new SliceIndex(after, later)
        for (const { spiffeId } of [...rows, ...later]) {
          expect(sliceOf(next, spiffeId)).toEqual(sliceOf(anew, spiffeId))
        }
      }),
      { numRuns: 300 },
    )
    expect(followed).toBeGreaterThan(30)
  })
})
