import fc from 'fast-check'
import * as oracle from 'structured-headers'
import { describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import {
  FIELD_MAX,
  FIELD_MAX_ITEMS,
  FIELD_MAX_MEMBERS,
  FIELD_MAX_PARAMETERS,
  parseDictionary,
} from '../../../src/wit/parse-structured-field.ts'
import {
  type BareItem,
  type Dictionary,
  type InnerList,
  isInnerList,
  type Item,
  printInnerList,
  printItem,
} from '../../../src/wit/structured-field.ts'
import { anyBytes } from './wit-world.ts'

const parse = (text: string): Dictionary => parseDictionary(text, 'Test')

/** As this project holds values, out of those of the independent library. Decimals and integers are one type there. */
function bareOf(value: oracle.BareItem): unknown {
  if (value instanceof oracle.Token) return { token: value.toString() }
  if (value instanceof ArrayBuffer) return { bytes: Buffer.from(value).toString('base64') }
  return value
}
const simple = (bare: BareItem): unknown =>
  bare.type === 'token'
    ? { token: bare.value }
    : bare.type === 'bytes'
      ? { bytes: bare.value.toString('base64') }
      : bare.value
const parametersOf = (parameters: ReadonlyMap<string, BareItem>): unknown =>
  [...parameters].map(([name, bare]) => [name, simple(bare)])
const ours = (dictionary: Dictionary): unknown =>
  [...dictionary].map(([name, member]) => [
    name,
    isInnerList(member)
      ? member.items.map(({ bare, parameters }) => [simple(bare), parametersOf(parameters)])
      : simple(member.bare),
    parametersOf(member.parameters),
  ])
const theirParameters = (parameters: oracle.Parameters): unknown =>
  [...parameters].map(([name, value]) => [name, bareOf(value)])
const theirs = (dictionary: oracle.Dictionary): unknown =>
  [...dictionary].map(([name, [value, parameters]]) => [
    name,
    Array.isArray(value)
      ? value.map(([bare, own]) => [bareOf(bare), theirParameters(own)])
      : bareOf(value as oracle.BareItem),
    theirParameters(parameters),
  ])
const theirText = (member: Item | InnerList): string => {
  const bare = (item: BareItem): oracle.BareItem =>
    item.type === 'token'
      ? new oracle.Token(item.value)
      : item.type === 'bytes'
        ? new Uint8Array(item.value).buffer
        : item.value
  const parameters = (own: ReadonlyMap<string, BareItem>): oracle.Parameters =>
    new Map([...own].map(([name, value]) => [name, bare(value)]))
  return isInnerList(member)
    ? oracle.serializeInnerList([
        member.items.map((item) => [bare(item.bare), parameters(item.parameters)]),
        parameters(member.parameters),
      ])
    : oracle.serializeItem([bare(member.bare), parameters(member.parameters)])
}

const key = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,8}$/)
const printable = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) })
const bareItem: fc.Arbitrary<BareItem> = fc.oneof(
  fc
    .integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 })
    .map((value) => ({ type: 'integer' as const, value })),
  printable.map((value) => ({ type: 'string' as const, value })),
  fc.stringMatching(/^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]{0,8}$/).map((value) => ({ type: 'token' as const, value })),
  fc.uint8Array({ maxLength: 40 }).map((value) => ({ type: 'bytes' as const, value: Buffer.from(value) })),
  fc.boolean().map((value) => ({ type: 'boolean' as const, value })),
)
const parameters = fc
  .uniqueArray(fc.tuple(key, bareItem), { selector: ([name]) => name, maxLength: 4 })
  .map((entries) => new Map(entries))
const item: fc.Arbitrary<Item> = fc.record({ bare: bareItem, parameters })
const innerList: fc.Arbitrary<InnerList> = fc.record({ items: fc.array(item, { maxLength: 5 }), parameters })
const dictionary = fc
  .uniqueArray(fc.tuple(key, fc.oneof(item, innerList)), { selector: ([name]) => name, maxLength: 5 })
  .map((entries): Dictionary => new Map(entries))
const print = (member: Item | InnerList): string => (isInnerList(member) ? printInnerList(member) : printItem(member))

describe('parseDictionary()', () => {
  test('reads what was printed, and what an independent library printed; both print the same', () => {
    fc.assert(
      fc.property(dictionary, (value) => {
        const text = [...value].map(([name, member]) => `${name}=${print(member)}`).join(', ')
        fc.pre(text.length <= FIELD_MAX)
        expect(ours(parse(text))).toEqual(ours(value))
        for (const member of value.values()) expect(print(member)).toBe(theirText(member))
        expect(ours(parse(oracle.serializeDictionary(oracle.parseDictionary(text))))).toEqual(ours(value))
      }),
    )
  })

  test('what it takes an independent library takes for the same; what that takes besides are the three that are refused', () => {
    const near = fc.string({
      unit: fc.constantFrom(...'ab*=;, ()"\\:?-.10AQ=\t@%', '=(', '")', '="', '=?1', '=:YQ==:', '"a"', ';a', ', b'),
      maxLength: 24,
    })
    fc.assert(
      fc.property(near, (text) => {
        let expected: unknown
        try {
          expected = theirs(oracle.parseDictionary(text))
        } catch {
          expect(() => parse(text)).toThrowCode('STRUCTURED_FIELD_INVALID')
          return
        }
        try {
          expect(ours(parse(text))).toEqual(expected)
        } catch (error) {
          if (!(error instanceof SallyportError)) throw error
          // A name that is there twice, base64 in another spelling, and the types of RFC 9651 that no signature has.
          if (!/twice/.test(error.message)) expect(text).toMatch(/=:|=[@%]|[( ;][@%]|\(:| :/)
        }
      }),
      { numRuns: 20_000 },
    )
  })

  test('answers any text with a value or a SallyportError', () => {
    fc.assert(
      fc.property(fc.oneof(anyBytes, fc.string({ maxLength: 200 })), (text) => {
        try {
          expect(parse(text)).toBeInstanceOf(Map)
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test.for([
    'a=1,',
    ',a=1',
    'a=1 b=2',
    'a=1,,b=2',
    'A=1',
    'a=',
    'a==1',
    'a=(1',
    'a=(1"x")',
    'a=("x",  "y")',
    'a=1)',
    'a="x',
    'a="\\x"',
    'a="\u00e9"',
    'a="\n"',
    'a=?2',
    'a=?',
    'a=:AB=:',
    'a=:QR==:',
    'a=:YQ:',
    'a=:-_-_:',
    'a=:YQ==',
    'a=1.',
    'a=.1',
    'a=-',
    'a=1234567890123456',
    'a=1234567890123.1',
    'a=1.1234',
    'a=1;',
    'a=1;B=2',
    'a=1;b=',
    'a=@1',
    'a=%"x"',
    'a=1, a=2',
    'a=1;b=1;b=2',
    '\ta=1',
  ])('refuses %j', (text) => {
    expect(() => parse(text)).toThrowCode('STRUCTURED_FIELD_INVALID')
  })

  test('reads decimals, and prints them in their one spelling', () => {
    const [[, member] = []] = [...parse('a=1.50')]
    expect(print(member!)).toBe('1.5')
    for (const text of ['0.0', '-1.0', '12.25', '999999999999.999']) {
      const [[, one] = []] = [...parse(`a=${text}`)]
      expect(print(one!)).toBe(text)
    }
  })

  test.for([
    ['length', `a="${'x'.repeat(FIELD_MAX)}"`],
    ['members', Array.from({ length: FIELD_MAX_MEMBERS + 1 }, (_, n) => `a${n}`).join(', ')],
    ['items', `a=(${'1 '.repeat(FIELD_MAX_ITEMS + 1)})`],
    ['parameters', `a=1${Array.from({ length: FIELD_MAX_PARAMETERS + 1 }, (_, n) => `;p${n}`).join('')}`],
  ] as const)('reads no more than its limit of %s', ([, text]) => {
    expect(() => parse(text)).toThrowCode('STRUCTURED_FIELD_INVALID', 'than')
  })

  test('takes no longer for what is made to be slow', () => {
    // Each of these is what a careless expression tries again from every character.
    for (const text of [
      `a="${'\\"'.repeat(4000)}`,
      `a=(${' '.repeat(8000)}`,
      `a=:${'A'.repeat(8000)}`,
      `a${' \t'.repeat(4000)}x`,
    ])
      expect(() => parse(text)).toThrowCode('STRUCTURED_FIELD_INVALID')
  })
})
