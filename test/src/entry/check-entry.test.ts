import { describe, expect, test } from 'vitest'
import {
  checkEntry,
  ENTRY_HINT_MAX_BYTES,
  ENTRY_MAX_DNS_NAMES,
  ENTRY_MAX_FEDERATES_WITH,
  ENTRY_MAX_SELECTORS,
  ENTRY_TTL_MAX_SECONDS,
  type EntryDraft,
} from '../../../src/entry/check-entry.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'

const trustDomain = TrustDomain.parse('example.org')
const id = (text: string): SpiffeId => SpiffeId.parse(text)
const many = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

const draft: EntryDraft = {
  id: 'entry-1',
  spiffeId: id('spiffe://example.org/web'),
  parentId: id('spiffe://example.org/node/1'),
  selectors: [parseSelector('unix:uid:1000')],
  createdAt: new Date('2026-01-01T00:00:00Z'),
}
const check = (changes: Partial<EntryDraft>) => checkEntry({ ...draft, ...changes }, { trustDomain })

describe('checkEntry()', () => {
  test('fills in defaults', () => {
    expect(check({})).toEqual({
      ...draft,
      x509TtlSeconds: 0,
      jwtTtlSeconds: 0,
      federatesWith: [],
      admin: false,
      downstream: false,
      expiresAt: undefined,
      dnsNames: [],
      hint: '',
      storeSvid: false,
      x509PrefetchDisabled: false,
      jwtIncludesJti: false,
      labels: {},
      revisionNumber: 0,
    })
  })

  test('removes repeats and keeps the order', () => {
    const entry = check({
      selectors: ['unix:uid:2', 'unix:uid:1', 'unix:uid:2'].map(parseSelector),
      dnsNames: ['b.test', 'a.test', 'b.test'],
      federatesWith: ['z.test', 'b.test', 'z.test'].map((name) => TrustDomain.parse(name)),
    })
    expect(entry.selectors).toEqual(['unix:uid:2', 'unix:uid:1'].map(parseSelector))
    expect(entry.dnsNames).toEqual(['b.test', 'a.test'])
    expect(entry.federatesWith.map(String)).toEqual(['z.test', 'b.test'])
  })

  test.for<readonly [string, Partial<EntryDraft>, string]>([
    ['an id with a slash', { id: 'a/b' }, 'id:'],
    ['an empty id', { id: '' }, 'id:'],
    ['an id of 256', { id: 'x'.repeat(256) }, 'id:'],
    ['SV-01 a foreign SPIFFE ID', { spiffeId: id('spiffe://other.test/web') }, 'not in trust domain'],
    [
      'ID-24 a SPIFFE ID of a longer name',
      { spiffeId: id('spiffe://example.org.evil.test/web') },
      'not in trust domain',
    ],
    ['ID-12 X5-04 the trust domain itself', { spiffeId: id('spiffe://example.org') }, 'no path'],
    ['a reserved path', { spiffeId: id('spiffe://example.org/spire/server') }, 'reserved'],
    ['a reserved root', { spiffeId: id('spiffe://example.org/spire') }, 'reserved'],
    ['a foreign parent', { parentId: id('spiffe://other.test/node') }, 'parentId:'],
    ['a parent without path', { parentId: id('spiffe://example.org') }, 'parentId:'],
    ['no selectors', { selectors: [] }, 'at least one'],
    [
      '1,000 selectors',
      { selectors: many(1000).map((n) => ({ type: 'a', value: `${n}` })) },
      `more than ${ENTRY_MAX_SELECTORS}`,
    ],
    ['a negative X.509 TTL', { x509TtlSeconds: -1 }, 'x509TtlSeconds: must not be negative'],
    ['a negative JWT TTL', { jwtTtlSeconds: -1 }, 'jwtTtlSeconds: must not be negative'],
    ['an absurd TTL', { x509TtlSeconds: ENTRY_TTL_MAX_SECONDS + 1 }, 'x509TtlSeconds: more than'],
    ['half a second', { jwtTtlSeconds: 0.5 }, 'whole number'],
    ['NaN seconds', { x509TtlSeconds: NaN }, 'whole number'],
    ['an instant that is none', { expiresAt: new Date(NaN) }, 'expiresAt:'],
    ['an instant before 1970', { expiresAt: new Date(-1) }, 'expiresAt:'],
    ['its own trust domain in federatesWith', { federatesWith: [trustDomain] }, 'federatesWith: example.org is'],
    [
      'too many foreign domains',
      { federatesWith: many(ENTRY_MAX_FEDERATES_WITH + 1).map((n) => TrustDomain.parse(`td${n}`)) },
      'federatesWith: more than',
    ],
    ['too many DNS names', { dnsNames: many(ENTRY_MAX_DNS_NAMES + 1).map((n) => `h${n}.test`) }, 'dnsNames: more than'],
    ['a bad DNS name', { dnsNames: ['a.test', 'a_b.test'] }, 'dnsNames: "a_b.test"'],
    ['a label without a name', { labels: { '': 'x' } }, 'labels: "" is not a name'],
    ['a label whose name has a space', { labels: { 'a b': 'x' } }, 'labels: "a b" is not a name'],
    ['a label named like a prototype', { labels: JSON.parse('{"__proto__": "x"}') }, 'labels: "__proto__" is not'],
    ['a long label', { labels: { env: 'x'.repeat(256) } }, 'labels: the value of "env" is longer than 255 bytes'],
    ['a label of two lines', { labels: { env: 'a\nb' } }, 'labels: the value of "env" has a control character'],
    [
      'too many labels',
      { labels: Object.fromEntries(many(65).map((n) => [`l${n}`, ''])) },
      'labels: more than 64 labels',
    ],
    ['a negative revision', { revisionNumber: -1 }, 'revisionNumber:'],
    [
      'storing with selectors of two types',
      { storeSvid: true, selectors: ['aws:secret:a', 'unix:uid:1'].map(parseSelector) },
      'storeSvid: all selectors',
    ],
    ['storing without prefetching', { storeSvid: true, x509PrefetchDisabled: true }, 'storeSvid: cannot'],
  ])('refuses %s', ([, changes, words]) => {
    expect(() => check(changes)).toThrowCode('ENTRY_INVALID', words)
  })

  test('refuses a selector that is none', () => {
    expect(() => check({ selectors: [{ type: 'a:b', value: 'c' }] })).toThrowCode('SELECTOR_INVALID')
  })

  test('WA-17 takes a hint of 1,024 bytes and not one more', () => {
    const hint = 'é'.repeat(ENTRY_HINT_MAX_BYTES / 2)
    expect(check({ hint }).hint).toBe(hint)
    expect(() => check({ hint: `${hint}x` })).toThrowCode('ENTRY_INVALID', 'hint:')
  })

  test.for([
    'spiffe://example.org/node/alias',
    'spiffe://example.org/spire/server',
    'spiffe://example.org/spire/agentx/1',
  ])('SE-12 refuses an admin or downstream entry below %s, which is no agent', (parent) => {
    for (const mark of [{ admin: true }, { downstream: true }]) {
      expect(() => check({ ...mark, parentId: id(parent) })).toThrowCode('ENTRY_INVALID', 'exactly one agent')
    }
  })

  test('SE-12 accepts an admin and a downstream entry below an agent', () => {
    const parentId = id('spiffe://example.org/spire/agent/join_token/1')
    expect(check({ parentId, admin: true, downstream: true })).toMatchObject({ admin: true, downstream: true })
  })

  test('ID-20 accepts an id of 2,048 bytes', () => {
    const longest = `spiffe://example.org/${'a'.repeat(2048 - 'spiffe://example.org/'.length)}`
    expect(check({ spiffeId: id(longest) }).spiffeId.toString()).toBe(longest)
  })

  test('accepts the entry of an alias', () => {
    expect(check({ parentId: id('spiffe://example.org/spire/server') }).parentId.path).toBe('/spire/server')
  })
})
