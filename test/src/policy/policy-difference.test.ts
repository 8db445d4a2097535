import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { differing, differsBeyond, isSame } from '../../../src/policy/policy-difference.ts'
import { acme } from './acme.ts'

describe('isSame()', () => {
  test('says of plain data what their JSON says', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (a, b) => {
        expect(isSame(a, structuredClone(a))).toBe(true)
        expect(isSame(a, b)).toBe(isSame(b, a))
        if (JSON.stringify(a) === JSON.stringify(b)) expect(isSame(a, b)).toBe(true)
      }),
    )
  })

  test('takes undefined for what is not there, and nothing else', () => {
    expect(isSame({ when: undefined }, {})).toBe(true)
    expect(isSame({}, { when: undefined })).toBe(true)
    for (const other of [{ when: null }, { when: 'x' }, { constructor: 'x' }, []]) {
      expect(isSame({}, other)).toBe(false)
      expect(isSame(other, {})).toBe(false)
    }
  })
})

describe('the difference of two policies', () => {
  test('is what came, what went, and both versions of what changed', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((id) => ({ id, to: 'x' })) as [object, object, object]
    const changed = { id: 'b', to: 'y' }
    expect(differing([a, b], [changed, c], (item) => (item as { id: string }).id)).toEqual([b, changed, c, a])
  })

  test('is looked for in all parts but those that are named', () => {
    const after = { ...acme, owner: 'group:other' }
    expect([differsBeyond([], acme, after), differsBeyond(['owner'], acme, after)]).toEqual([true, false])
  })
})
