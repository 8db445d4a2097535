import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decisionId } from '../../../src/enforce/decision-id.ts'

describe('the name of a decision', () => {
  test('is 26 letters without those that look alike', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), (nowMs) => {
        expect(decisionId(nowMs * 1000)).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/)
      }),
    )
  })

  test('sorts by time', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.nat(2 ** 31), (one, other) => {
        const [early, late] = [Math.min(one, other), Math.max(one, other)]
        if (early < late) expect(decisionId(early) < decisionId(late)).toBe(true)
      }),
    )
  })

  test('tells the millisecond as ULIDs do', () => {
    expect(decisionId(1_469_918_176_385).slice(0, 10)).toBe('01ARYZ6S41')
  })

  test('is never the same twice', () => {
    const many = Array.from({ length: 10_000 }, () => decisionId(1))
    expect(new Set(many).size).toBe(10_000)
  })
})
