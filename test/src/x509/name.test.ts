import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkDer } from '../../../src/x509/der.ts'
import { oid, sequence, setOf } from '../../../src/x509/der-writer.ts'
import { checkName, COMMON_NAME_MAX_CHARACTERS, commonNameOf, encodeName, isEmptyName } from '../../../src/x509/name.ts'

describe('encodeName()', () => {
  test('what is written is read back', () => {
    const commonName = fc.string({ minLength: 1, maxLength: COMMON_NAME_MAX_CHARACTERS, unit: 'grapheme-composite' })
    fc.assert(
      fc.property(
        commonName.filter((text) => text.length <= 64 && text.isWellFormed()),
        (text) => {
          const name = encodeName({ country: 'US', organization: 'Example', commonName: text })
          checkDer(name)
          checkName(name, 'the name')
          expect(commonNameOf(name)).toBe(text)
        },
      ),
    )
  })

  test('without parts it is the empty name', () => {
    expect(isEmptyName(encodeName({}))).toBe(true)
    expect(commonNameOf(encodeName({}))).toBeUndefined()
    expect(isEmptyName(encodeName({ organization: 'Example' }))).toBe(false)
    expect(commonNameOf(encodeName({ organization: 'Example' }))).toBeUndefined()
  })

  test.for([
    [{ commonName: '' }, 'commonName'],
    [{ commonName: 'x'.repeat(65) }, 'commonName'],
    [{ country: 'USA' }, 'country'],
    [{ country: 'Ü' }, 'country'],
  ] as const)('refuses %o', ([name, words]) => {
    expect(() => encodeName(name)).toThrowCode('TEMPLATE_INVALID', words)
  })
})

test.for([
  ['an empty set', sequence(setOf())],
  ['an attribute without value', sequence(setOf(sequence(oid('2.5.4.3'))))],
  ['an attribute with two values', sequence(setOf(sequence(oid('2.5.4.3'), oid('2.5.4.3'), oid('2.5.4.3'))))],
  ['no set', sequence(sequence())],
] as const)('checkName() refuses %s', ([, name]) => {
  expect(() => checkName(name, 'the name')).toThrow('the name')
})
