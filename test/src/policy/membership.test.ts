import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { IdentityTree } from '../../../src/policy/identity-tree.ts'
import { MembershipRules } from '../../../src/policy/membership-rules.ts'
import {
  matchesSegments,
  parsePattern,
  patternsOverlap,
  printPattern,
  segmentsOf,
} from '../../../src/policy/pattern.ts'
import { PatternIndex } from '../../../src/policy/pattern-index.ts'
import type { Member } from '../../../src/policy/policy-set.ts'
import { resolveIdentity, resolveMembership } from '../../../src/policy/resolve-membership.ts'
import { SallyportError } from '../../../src/errors.ts'
import { acme, entry } from './acme.ts'

const zones = (members: Readonly<Record<string, readonly Member[]>>) => ({
  zones: Object.entries(members).map(([id, members]) => ({ ...acme.zones[0]!, id, members })),
})
const zoneOf = (members: Readonly<Record<string, readonly Member[]>>, ...entries: ReturnType<typeof entry>[]) =>
  resolveMembership(zones(members), entries)[0]?.zone

describe('membership', () => {
  test('ZO-10: literal beats * beats **, from the left', () => {
    const members = {
      deep: [{ spiffe: '/a/**' }],
      late: [{ spiffe: '/a/*/c' }],
      early: [{ spiffe: '/a/b/*' }],
      star: [{ spiffe: '/*/b/c' }],
    }
    expect(zoneOf(members, entry('/a/b/c'))).toBe('early')
    expect(zoneOf(members, entry('/a/x/c'))).toBe('late')
    expect(zoneOf(members, entry('/a/x/y'))).toBe('deep')
    expect(zoneOf(members, entry('/x/b/c'))).toBe('star')
    expect(zoneOf(members, entry('/x/y'))).toBeNull()
  })

  test('ZO-10: the more specific pattern that does not match in the end gives way', () => {
    expect(zoneOf({ a: [{ spiffe: '/a/b/x' }], b: [{ spiffe: '/a/**' }] }, entry('/a/b/c'))).toBe('b')
  })

  test('ZO-10: the same pattern in two zones is ambiguous', () => {
    expect(zoneOf({ b: [{ spiffe: '/a/*' }], a: [{ spiffe: '/a/*' }] }, entry('/a/b'))).toEqual(['a', 'b'])
  })

  test('ZO-10: all keys of an item and all labels of a map must hold', () => {
    const item = { spiffe: '/a/**', entryLabel: { x: '1', y: '2' }, selector: 'unix:uid:1' }
    const held = entry('/a/b', { x: '1', y: '2' }, ['unix:uid:1'])
    expect(zoneOf({ z: [item] }, held)).toBe('z')
    expect(zoneOf({ z: [item] }, { ...held, labels: { x: '1' } })).toBeNull()
    expect(zoneOf({ z: [item] }, { ...held, labels: { x: '1', y: '3' } })).toBeNull()
    expect(zoneOf({ z: [item] }, { ...held, selectors: [] })).toBeNull()
    expect(zoneOf({ z: [item] }, { ...held, spiffeId: held.spiffeId.replace('/a/', '/b/') })).toBeNull()
  })

  test('explicit items come before patterns, and two explicit zones are ambiguous', () => {
    const members = { p: [{ spiffe: '/a/b' }], l: [{ entryLabel: { x: '1' } }], s: [{ selector: 'unix:uid:1' }] }
    expect(zoneOf(members, entry('/a/b', { x: '1' }))).toBe('l')
    expect(zoneOf(members, entry('/a/b', { x: '1' }, ['unix:uid:1']))).toEqual(['l', 's'])
    expect(
      zoneOf(
        { l: [{ entryLabel: { x: '1' } }, { selector: 'unix:uid:1' }] },
        entry('/a/b', { x: '1' }, ['unix:uid:1']),
      ),
    ).toBe('l')
  })

  test('ZO-11: SE-44: a label on which the entries of an id differ counts as missing', () => {
    const members = { l: [{ entryLabel: { x: '1' } }] }
    const [one, two] = [entry('/a/b', { x: '1', y: '2' }), entry('/a/b', { x: '1' })]
    expect(resolveMembership(zones(members), [one, two])[0]).toMatchObject({ zone: 'l', labels: { x: '1' } })
    expect(resolveMembership(zones(members), [one, { ...two, labels: { x: '2' } }])[0]).toMatchObject({
      zone: null,
      labels: {},
    })
  })

  test('SE-44: a selector counts only when every entry of the id requires it', () => {
    const members = { s: [{ selector: 'unix:group:sre' }] }
    const [with_, without] = [entry('/a/b', {}, ['unix:group:sre', 'unix:uid:1']), entry('/a/b', {}, ['unix:uid:1'])]
    expect(zoneOf(members, with_, with_)).toBe('s')
    expect(zoneOf(members, with_, without)).toBeNull()
    expect(zoneOf(members, without, with_)).toBeNull()
  })

  test('one id can be resolved anew without the others', () => {
    const members = zones({ a: [{ spiffe: '/a/**' }], l: [{ entryLabel: { x: '1' } }] })
    const all = [entry('/a/b'), entry('/a/c', { x: '1' })]
    expect(all.map((one) => resolveIdentity(new MembershipRules(members), [one]))).toEqual(
      resolveMembership(members, all),
    )
  })

  test('an item without keys places nobody', () => {
    expect(zoneOf({ z: [{}, { entryLabel: {} }] }, entry('/a', { x: '1' }))).toBeNull()
  })

  test('an identity without entries has no row', () => {
    expect(() => resolveIdentity(new MembershipRules(zones({})), [])).toThrow('without entries')
  })

  test.for([
    [['a', 'b', 'c'], 'label a=1'],
    [['c', 'b', 'a'], 'label a=1'],
    [['b', 'c', 'a'], 'label a=1'],
    [['c', 'b'], 'label b=1'],
  ] as const)('of the items of a zone that hold (%s) the first by name is told', ([keys, via]) => {
    const labels = Object.fromEntries(keys.map((key) => [key, '1']))
    const members = { z: keys.map((key) => ({ entryLabel: { [key]: '1' } })), y: [{ selector: 'unix:uid:1' }] }
    const [row] = resolveMembership(zones(members), [entry('/a', labels, ['unix:uid:1'])])
    expect(row).toMatchObject({ zone: ['y', 'z'], via: `selector unix:uid:1; ${via}` })
  })

  test('a label named like a member of every object is only a label', () => {
    expect(zoneOf({ l: [{ entryLabel: { constructor: 'x' } }] }, entry('/a'))).toBeNull()
  })
})

const segment = fc.constantFrom('a', 'b', 'ab')
const path = fc.array(segment, { minLength: 1, maxLength: 4 })
const pattern = fc
  .tuple(fc.array(fc.constantFrom('a', 'b', 'ab', '*'), { maxLength: 3 }), fc.constantFrom('a', 'b', '*', '**'))
  .map(([head, last]) => parsePattern(`/${[...head, last].join('/')}`))

describe('patterns', () => {
  test('an index finds what each pattern matches by itself', () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 8 }), path, (patterns, path) => {
        const index = new PatternIndex<number>()
        patterns.forEach((pattern, at) => index.add(pattern, at))
        const matching = patterns.flatMap((pattern, at) => (matchesSegments(pattern, path) ? [at] : []))
        expect(index.all(path).sort((a, b) => a - b)).toEqual(matching)
        const rank = (at: number): string =>
          patterns[at]!.segments.map((one) => (one === '**' ? '2' : one === '*' ? '1' : '0')).join('')
        const [first] = matching.map(rank).sort()
        expect(index.mostSpecific(path).map(rank)).toEqual(matching.map(rank).filter((one) => one === first))
      }),
    )
  })

  test('a tree of paths finds what a pattern matches', () => {
    fc.assert(
      fc.property(pattern, fc.uniqueArray(path, { selector: String }), (pattern, paths) => {
        const tree = new IdentityTree<string>()
        for (const one of paths) tree.set(one, one.join('/'))
        const expected = paths.filter((one) => matchesSegments(pattern, one)).map((one) => one.join('/'))
        expect(tree.matching(pattern).sort()).toEqual(expected.sort())
      }),
    )
  })

  test('patterns that overlap are those that one path matches', () => {
    fc.assert(
      fc.property(pattern, pattern, path, (a, b, path) => {
        if (matchesSegments(a, path) && matchesSegments(b, path)) expect(patternsOverlap(a, b)).toBe(true)
      }),
    )
    expect(patternsOverlap(parsePattern('/a/*'), parsePattern('/a/b/c'))).toBe(false)
    expect(patternsOverlap(parsePattern('/a'), parsePattern('spiffe://x/a'))).toBe(false)
  })

  test.for([
    '',
    'a',
    '/',
    '/a/',
    '/a//b',
    '/**/a',
    '/a*',
    '/.',
    '/a/..',
    '/a%2f',
    'spiffe:///a',
    'spiffe://X/a',
    '/é',
    '/a\n',
  ])('refuses %j', (text) => {
    expect(() => parsePattern(text)).toThrow(expect.objectContaining({ code: 'PATTERN_INVALID' }))
  })

  test('any text is a pattern that prints as it was written, or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('/', '*', 'a', '.', ':', 'spiffe://') })),
        (text) => {
          try {
            expect(printPattern(parsePattern(text))).toBe(text)
          } catch (error) {
            expect(error).toBeInstanceOf(SallyportError)
          }
        },
      ),
    )
    expect(() => parsePattern(`/${'a'.repeat(3000)}`)).toThrow('longer than')
    expect(() => parsePattern('/a'.repeat(65))).toThrow('more than 64 segments')
    expect(segmentsOf('/a/b')).toEqual(['a', 'b'])
  })
})
