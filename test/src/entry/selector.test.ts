import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  parseSelector,
  printSelector,
  SELECTOR_TYPE_MAX_BYTES,
  SELECTOR_VALUE_MAX_BYTES,
  selectorOf,
  selectorsMatch,
} from '../../../src/entry/selector.ts'

describe('selectors', () => {
  test('a selector is split at its first colon', () => {
    expect(parseSelector('unix:uid:1000')).toEqual({ type: 'unix', value: 'uid:1000' })
  })

  test('prints what it read', () => {
    const selector = fc.record({
      type: fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !text.includes(':')),
      value: fc.string({ minLength: 1 }),
    })
    fc.assert(
      fc.property(selector, (value) => {
        expect(parseSelector(printSelector(value))).toEqual(value)
      }),
    )
  })

  test.for([
    ['unix', 'no colon'],
    [':value', 'type is empty'],
    ['unix:', 'value is empty'],
    [`${'t'.repeat(SELECTOR_TYPE_MAX_BYTES + 1)}:v`, 'type is longer'],
    [`t:${'é'.repeat(SELECTOR_VALUE_MAX_BYTES / 2 + 1)}`, 'value is longer'],
  ] as const)('refuses %s: %s', ([text, why]) => {
    expect(() => parseSelector(text)).toThrowCode('SELECTOR_INVALID', why)
  })

  test('a type holds no colon', () => {
    expect(() => selectorOf('a:b', 'c')).toThrowCode('SELECTOR_INVALID', 'has a colon')
  })

  test('all wanted selectors must be held, and none wanted matches nothing', () => {
    const held = new Set(['unix:uid:1000', 'unix:gid:7'])
    expect(selectorsMatch([parseSelector('unix:uid:1000')], held)).toBe(true)
    expect(selectorsMatch([parseSelector('unix:uid:1000'), parseSelector('unix:gid:8')], held)).toBe(false)
    expect(selectorsMatch([], held)).toBe(false)
  })
})
