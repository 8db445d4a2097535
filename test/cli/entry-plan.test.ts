import { describe, expect, test } from 'vitest'
import { planEntries, readEntriesFile } from '../../cli/entry-plan.ts'
import type { Entry } from '../../src/wire/messages/spire-api-types.ts'

const file = `
entries:
  - spiffeId: spiffe://example.org/a
    parent: spiffe://example.org/node/1
    selectors: [unix:uid:1000, unix:gid:1000]
    x509Ttl: 10m
`

const stored = (change: Partial<Entry> = {}): Entry => ({
  id: 'e1',
  spiffeId: { trustDomain: 'example.org', path: '/a' },
  parentId: { trustDomain: 'example.org', path: '/node/1' },
  selectors: [
    { type: 'unix', value: 'gid:1000' },
    { type: 'unix', value: 'uid:1000' },
  ],
  x509SvidTtl: 600,
  federatesWith: [],
  admin: false,
  downstream: false,
  expiresAt: 0,
  dnsNames: [],
  revisionNumber: 0,
  storeSvid: false,
  jwtSvidTtl: 0,
  hint: '',
  createdAt: 1,
  additionalAttributes: null as never,
  ...change,
})

const plan = (text: string, have: readonly Entry[], prune = false) =>
  planEntries(readEntriesFile(text, 'entries.yaml'), have, prune)

describe('planEntries()', () => {
  test('keeps what is equal, whatever the order of its selectors', () => {
    expect(plan(file, [stored()])).toMatchObject([{ action: 'keep', entryId: 'e1' }])
  })
  test('updates exactly the fields that differ', () => {
    expect(plan(file, [stored({ x509SvidTtl: 60, hint: 'old' })])).toMatchObject([
      { action: 'update', entryId: 'e1', changedFields: ['x509SvidTtl', 'hint'] },
    ])
  })
  test('creates what is missing', () => {
    expect(plan(file, [])).toMatchObject([{ action: 'create', spiffeId: 'spiffe://example.org/a' }])
  })
  test('deletes what the file does not name only when asked to prune', () => {
    const other = stored({ id: 'e2', spiffeId: { trustDomain: 'example.org', path: '/b' } })
    expect(plan(file, [stored(), other]).map(({ action }) => action)).toEqual(['keep'])
    expect(plan(file, [stored(), other], true).map(({ action, entryId }) => [action, entryId])).toEqual([
      ['keep', 'e1'],
      ['delete', 'e2'],
    ])
  })
})

test('the name that a token gave a node is never pruned', () => {
  const alias = stored({
    id: `alias-${'0'.repeat(32)}`,
    parentId: { trustDomain: 'example.org', path: `/spire/agent/join_token/${'0'.repeat(32)}` },
  })
  expect(plan('entries: []', [alias], true)).toEqual([])
  expect(plan('entries: []', [stored({ id: alias.id })], true)).toMatchObject([{ action: 'delete' }])
})

test('a file with several mistakes names all of them', () => {
  const bad =
    'entries:\n  - spiffeId: x\n    parent: spiffe://example.org/n\n    selectors: [nocolon]\n    x509Tll: 1h\n'
  for (const words of ['entries.0.spiffeId', 'entries.0.selectors.0', 'x509Tll']) {
    expect(() => readEntriesFile(bad, 'entries.yaml')).toThrowCode('CONFIG_INVALID', words)
  }
})

test('compares labels where the file names some, and leaves them alone where it does not', () => {
  const labelled = (labels: string): string => file.replace('x509Ttl: 10m', `x509Ttl: 10m\n    labels: ${labels}`)
  const held = new Map([['e1', { env: 'prod' }]])
  const of = (text: string) => planEntries(readEntriesFile(text, 'entries.yaml'), [stored()], false, held)[0]
  expect(of(file)).toMatchObject({ action: 'keep' })
  expect(of(labelled('{ env: prod }'))).toMatchObject({ action: 'keep' })
  expect(of(labelled('{ env: stage }'))).toMatchObject({ action: 'update', changedFields: ['labels'] })
  expect(of(labelled('{}'))).toMatchObject({ action: 'update', changedFields: ['labels'], labels: {} })
  expect(() => of(labelled('{ "a b": c }'))).toThrowCode('CONFIG_INVALID', 'labels')
})
