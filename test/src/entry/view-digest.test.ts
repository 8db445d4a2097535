import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ViewDigest, type DigestedEntry } from '../../../src/entry/view-digest.ts'

const entryOf = fc.record({
  id: fc.string({ minLength: 1, maxLength: 8 }),
  revisionNumber: fc.nat(1000),
  createdAt: fc.integer({ min: 0, max: 2e12 }).map((ms) => new Date(ms)),
})
const bundle = { trustDomain: { name: 'example.org' }, sequenceNumber: 3 }

describe('ViewDigest', () => {
  test('does not depend on the order in which a view came about', () => {
    fc.assert(
      fc.property(fc.array(entryOf), (entries) => {
        const forward = ViewDigest.of(entries, [bundle])
        const backward = new ViewDigest()
        backward.addBundle(bundle)
        for (const entry of entries.toReversed()) backward.addEntry(entry)
        return forward.bytes.equals(backward.bytes)
      }),
    )
  })

  test('forgets what is removed and survives being written and read', () => {
    fc.assert(
      fc.property(fc.array(entryOf), entryOf, (entries, extra) => {
        const digest = ViewDigest.from(ViewDigest.of(entries, [bundle]).bytes)
        digest.addEntry(extra)
        digest.removeEntry(extra)
        digest.removeBundle(bundle)
        return digest.equals(ViewDigest.of(entries, []).bytes)
      }),
    )
  })

  const entry: DigestedEntry = { id: 'a', revisionNumber: 1, createdAt: new Date(5000) }
  test.for([
    ['another revision', { ...entry, revisionNumber: 2 }],
    ['another id', { ...entry, id: 'b' }],
    ['a recreated entry', { ...entry, createdAt: new Date(6000) }],
  ] as const)('tells %s', ([, other]) => {
    expect(ViewDigest.of([other], []).equals(ViewDigest.of([entry], []).bytes)).toBe(false)
  })

  test('counts whole seconds only, as the wire does', () => {
    const later = { ...entry, createdAt: new Date(5999) }
    expect(ViewDigest.of([later], []).equals(ViewDigest.of([entry], []).bytes)).toBe(true)
  })
})
