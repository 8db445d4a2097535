import { describe, expect, test } from 'vitest'
import { needlessRules } from '../../../../src/policy/analysis/needless-rules.ts'
import type { Observation } from '../../../../src/policy/analysis/observed.ts'
import { diffPolicies } from '../../../../src/policy/analysis/policy-diff.ts'
import { privileges, zonePrivileges } from '../../../../src/policy/analysis/privilege.ts'
import { staleIdentities, type StaleFacts } from '../../../../src/policy/analysis/stale.ts'
import { standingRules } from '../../../../src/policy/analysis/standing.ts'
import { unusedObjects } from '../../../../src/policy/analysis/unused.ts'
import { compile } from '../../../../src/policy/compile.ts'
import type { PolicySet } from '../../../../src/policy/policy-set.ts'
import { resolveMembership } from '../../../../src/policy/resolve-membership.ts'
import { counter } from '../../../cli/analyses.ts'
import { Random } from '../../../cedar/random.ts'
import { randomWorld } from '../../../cedar/random-world.ts'
import { acme, conduit, entry, idOf, NOW, rowsOf, rule, withConduit, withMore, withRule } from '../acme.ts'

const options = { moment: { from: NOW }, variant: 'intended' } as const
const tablesOf = (set: PolicySet) => compile(set, rowsOf(set))
const seen = (...changes: object[]): Observation[] => changes.map((change) => counter(change) as Observation)
const shortIds = (ids: readonly { readonly id: string }[]): string[] => ids.map(({ id }) => id)

describe('unusedObjects()', () => {
  const whole = seen(
    { action: 'read' },
    { action: 'create', side: 'client' },
    {
      source: idOf('/ns/shop/sa/checkout'),
      service: 'ledger',
      action: 'post',
      conduit: 'shop-to-ledger',
      rule: 'checkout-ledger',
    },
  )

  test('tells what no request used, and which part of a rule would be enough', () => {
    const { found } = unusedObjects(tablesOf(acme), whole.slice(0, 1))
    expect(shortIds(found)).not.toContain('edge-to-shop')
    expect(found.find(({ id }) => id === 'storefront-orders')).toMatchObject({
      status: 'partly',
      enough: { from: [{ pattern: '/ns/web/sa/storefront' }], actions: ['read'] },
    })
    expect(found.find(({ id }) => id === 'web-read')).toMatchObject({ status: 'unused', use: { count: 0, lastMs: 0 } })
  })

  test('a rule that is used whole, a deny rule, a draft and what is rare are left out', () => {
    const set = withConduit(
      'shop-mesh',
      { use: 'rare' },
      withRule('web-read', { stage: 'draft' }, withRule('orders-store', { use: 'rare' })),
    )
    const found = shortIds(unusedObjects(tablesOf(set), whole).found)
    expect(found).not.toContain('storefront-orders')
    for (const id of ['block-canary', 'web-read', 'orders-store', 'shop-mesh']) expect(found).not.toContain(id)
    expect(found).toContain('shop-to-db')
  })

  test('what was refused, or only let pass by observe mode, is no use', () => {
    const refused = seen({ decision: 'deny', rule: 'web-read' }, { wouldDeny: true, rule: 'web-read' })
    expect(shortIds(unusedObjects(tablesOf(acme), refused).found)).toContain('web-read')
  })

  test('what the policy at the beginning did not have is too young to be judged', () => {
    const base = withRule('web-read', { actions: ['create'] }, { ...acme, conduits: acme.conduits.slice(1) })
    const { found, young } = unusedObjects(tablesOf(acme), [], base)
    expect(young).toEqual(['edge-to-shop', 'web-read'])
    expect(shortIds(found)).not.toContain('web-read')
  })

  test('both ends count the same request once', () => {
    const both = seen({ count: 5 }, { count: 4, side: 'client', action: 'create' })
    expect(
      unusedObjects(tablesOf(withRule('storefront-orders', { actions: ['read'] })), both).found.map(
        ({ use }) => use.count,
      ),
    ).not.toContain(9)
  })
})

describe('privileges()', () => {
  const rows = rowsOf(acme)

  test('weighs unused rights by target, and administration twice', () => {
    const operator = [...rows, ...resolveMembership(acme, [entry('/ns/ops/sa/bastion')])]
    const found = privileges(compile(acme, operator), operator, seen({ action: 'read' }), options)
    const excessOf = (path: string) => found.find(({ ids }) => ids.includes(idOf(path)))
    // read of target 2: 4; admin: 8.
    expect(excessOf('/ns/ops/sa/bastion')).toMatchObject({ excess: 12, excessPercent: 100, standingPercent: 100 })
    expect(excessOf('/ns/web/sa/storefront')).toMatchObject({ excess: 4, excessPercent: 50 })
    expect(found.map(({ excess }) => excess)).toEqual(found.map(({ excess }) => excess).toSorted((a, b) => b - a))
    expect(zonePrivileges(found).find(({ zone }) => zone === 'ops')).toMatchObject({ identities: 1, meanExcess: 12 })
  })

  test('what has an end or a window does not stand', () => {
    const until = { from: undefined, until: NOW + 1000 }
    const standing = (set: PolicySet) =>
      privileges(compile(set, rows), rows, [], options).find(({ ids }) => ids.includes(idOf('/ns/web/sa/blog')))
        ?.standingPercent
    expect(standing(acme)).toBe(100)
    expect(standing(withRule('web-read', { valid: until }))).toBe(0)
    expect(standing(withConduit('edge-to-shop', { window: { fromMinute: 1, toMinute: 2, tz: 'UTC' } }))).toBe(0)
  })
})

describe('standingRules()', () => {
  test('lists administration first, then by target, and not what is used on enough days', () => {
    const used = seen(...[1, 2, 3].map((day) => ({ day, rule: 'storefront-orders' })), {
      day: 1,
      rule: 'checkout-ledger',
    })
    const list = (days: number) => standingRules(tablesOf(acme), used, days).map(({ rule }) => rule.id)
    expect(list(3)).toEqual(['support-read', 'partner-submit', 'checkout-ledger', 'orders-store', 'web-read'])
    expect(list(4)).toContain('storefront-orders')
    // temp-import has an end, block-canary denies.
    expect(list(99)).not.toEqual(expect.arrayContaining(['temp-import']))
  })
})

describe('staleIdentities()', () => {
  const rows = rowsOf(acme, [
    entry('/ns/web/sa/storefront', { owner: 'team-web' }),
    entry('/ns/shop/sa/orders'),
    entry('/ns/web/sa/blog', { owner: 'spiffe://gone' }),
    entry('/ns/none/x'),
    entry('/ns/shop/sa/both', { pci: 'true' }, ['unix:group:sre']),
  ])
  const facts: StaleFacts = {
    entries: [],
    rows,
    observations: seen({}),
    issued: undefined,
    offboarded: new Set(['spiffe://gone']),
    sinceMs: NOW,
  }
  const found = (change: Partial<StaleFacts>) =>
    staleIdentities(compile(acme, rows), { ...facts, ...change })
      .filter(({ kind }) => kind !== 'ghost')
      .map(({ id, kind }) => `${kind} ${id.split('/').at(-1)}`)

  test('calls idle who was at neither end, and tells who is nowhere or owned by nobody', () => {
    expect(found({})).toEqual([
      'orphan blog',
      'idle blog',
      'unplaced x',
      'orphan x',
      'idle x',
      'ambiguous both',
      'orphan both',
      'idle both',
    ])
    expect(found({ observations: undefined }).filter((text) => text.startsWith('idle'))).toEqual([])
  })

  test('who got no SVID is stale; what is young is neither', () => {
    const issued = new Set([idOf('/ns/web/sa/storefront'), idOf('/ns/shop/sa/orders'), idOf('/ns/shop/sa/both')])
    expect(found({ issued })).toContain('stale blog')
    const entries = [
      {
        spiffeId: idOf('/ns/web/sa/blog'),
        parent: undefined,
        selectors: [],
        labels: {},
        x509TtlMs: undefined,
        createdMs: NOW + 1,
      },
    ]
    expect(found({ issued, entries })).not.toContain('stale blog')
  })

  test('names ghosts of the own trust domain and shadows of the traffic', () => {
    const shadow = seen({ source: idOf('/ns/dark'), sourceZone: null, code: 'UNKNOWN_ZONE', decision: 'deny' })
    const all = staleIdentities(compile(acme, rows), { ...facts, observations: shadow })
    const of = (wanted: string) => all.filter(({ kind }) => kind === wanted).map(({ id }) => id)
    expect(of('shadow')).toEqual([idOf('/ns/dark')])
    expect(of('ghost')).toContain(idOf('/ns/web/sa/canary'))
    expect(of('ghost').filter((id) => !id.startsWith('spiffe://prod.acme.example/'))).toEqual([])
    expect(of('ghost')).not.toContain(idOf('/ns/web/sa/storefront'))
  })
})

describe('needlessRules()', () => {
  test('nobody loses anything when one of what it names goes', () => {
    let tried = 0
    for (let seed = 1; seed <= 60; seed++) {
      const { set, entries } = randomWorld(new Random(seed))
      const rows = resolveMembership(set, entries)
      const before = { tables: compile(set, rows), rows }
      for (const { object, id, kind } of needlessRules(before.tables, rows, options)) {
        const part = object === 'rule' ? 'rules' : 'conduits'
        const other = { ...set, [part]: [...set[part]].filter((one) => one.id !== id) } as PolicySet
        const lost = diffPolicies(before, { tables: compile(other, rows), rows }, options).filter(
          ({ change }) => change === 'lost',
        )
        expect(lost, `seed ${seed}: ${kind} ${object} ${id}`).toEqual([])
        tried++
      }
    }
    expect(tried).toBeGreaterThan(50)
  })

  test('tells apart why', () => {
    const set = withMore({
      conduits: [conduit('unused', 'legacy', 'shop')],
      rules: [
        rule('again', [{ pattern: '/ns/web/sa/storefront' }], 'orders', { actions: ['create'] }),
        rule('no-way', [{ pattern: '/ns/data/sa/x' }], 'orders'),
        rule('guarded', [{ pattern: '/ns/web/sa/storefront' }], 'orders', { actions: ['admin'] }),
        rule('narrower', [{ pattern: '/ns/web/sa/storefront' }], 'orders', { when: 'net.port == 8443' }),
      ],
    })
    const found = needlessRules(tablesOf(set), rowsOf(set), options).map(({ id, kind }) => `${kind} ${id}`)
    expect(found.toSorted()).toEqual([
      'dead no-way',
      'expired temp-import',
      'open shop-mesh',
      'open unused',
      'redundant again',
      'redundant narrower',
      'shadowed guarded',
    ])
  })
})
