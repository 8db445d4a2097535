import { describe, expect, test } from 'vitest'
import { directReach } from '../../../../src/policy/analysis/direct-reach.ts'
import { diffPolicies, type CellChange, type PlacedTables } from '../../../../src/policy/analysis/policy-diff.ts'
import { radiusByZone } from '../../../../src/policy/analysis/radius-by-zone.ts'
import { withTraffic } from '../../../../src/policy/analysis/traffic-of-diff.ts'
import { compile } from '../../../../src/policy/compile.ts'
import { decide } from '../../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../../../src/policy/lifecycle.ts'
import type { PolicySet } from '../../../../src/policy/policy-set.ts'
import { resolveMembership } from '../../../../src/policy/resolve-membership.ts'
import { requestOf } from '../../../cedar/compare.ts'
import { Random } from '../../../cedar/random.ts'
import { NOW, randomWorld, type World } from '../../../cedar/random-world.ts'
import { acme, rowsOf, withConduit, withRule, withZone } from '../acme.ts'
import { counter } from '../../../cli/analyses.ts'
import type { Observation } from '../../../../src/policy/analysis/observed.ts'

const options = { moment: { from: NOW }, variant: 'intended' } as const
const lifecycle = indexLifecycle(NO_LIFECYCLE)

function placed(set: PolicySet, entries: World['entries']): PlacedTables {
  const rows = resolveMembership(set, entries)
  return { tables: compile(set, rows), rows }
}

/** Leaves out, or takes from elsewhere, one thing of a policy. */
function mutated(set: PolicySet, random: Random): PolicySet {
  const without = <T>(list: readonly T[]): T[] => list.filter((item) => item !== random.of([...list]))
  const part = random.of(['rules', 'conduits', 'guards', 'actions', 'zones'])
  if (part === 'actions')
    return { ...set, rules: set.rules.map((rule) => (random.chance(0.3) ? { ...rule, when: undefined } : rule)) }
  if (part === 'zones')
    return {
      ...set,
      zones: set.zones.map((zone) => (random.chance(0.5) ? { ...zone, members: without(zone.members) } : zone)),
    }
  return { ...set, [part]: without<unknown>(set[part as 'rules' | 'conduits' | 'guards']) }
}

const pairs = Array.from({ length: 80 }, (_, seed) => {
  const random = new Random(seed + 1)
  const world = randomWorld(random)
  const other = mutated(world.set, random)
  return { before: placed(world.set, world.entries), after: placed(other, world.entries) }
})

const actionsOf = ({ tables }: PlacedTables, id: string): string[] => {
  const party = tables.parties.of(id)
  if (typeof party === 'string') return []
  return directReach(tables, party, options).flatMap(({ service, actions }) =>
    actions.map(({ action }) => `${id} ${service} ${action}`),
  )
}

const keysOf = (changes: readonly CellChange[], wanted: CellChange['change']): string[] =>
  changes
    .filter(({ change }) => change === wanted)
    .flatMap(({ ids, service, action }) => ids.map((id) => `${id} ${service} ${action}`))
    .toSorted()

describe('diffPolicies()', () => {
  test('names what an enumeration identity by identity finds', () => {
    let found = 0
    for (const { before, after } of pairs) {
      const changes = diffPolicies(before, after, options)
      const ids = new Set([...before.rows.map(({ spiffeId }) => spiffeId), ...changes.flatMap(({ ids }) => ids)])
      const [had, has] = [before, after].map((one) => new Set([...ids].flatMap((id) => actionsOf(one, id))))
      expect(keysOf(changes, 'gained')).toEqual([...(has ?? [])].filter((key) => had?.has(key) !== true).toSorted())
      expect(keysOf(changes, 'lost')).toEqual([...(had ?? [])].filter((key) => has?.has(key) !== true).toSorted())
      found += changes.length
    }
    expect(found).toBeGreaterThan(50)
  })

  test('whatever request is decided otherwise is a cell that changes', () => {
    let found = 0
    for (let seed = 1; seed <= 120; seed++) {
      const { set, entries, questions } = randomWorld(new Random(seed))
      const asked = [...new Set(questions.map(({ id }) => id))].filter((id) => id.startsWith('spiffe://example.org/'))
      const known = new Set(entries.map(({ spiffeId }) => spiffeId))
      const strangers = asked
        .filter((id) => !known.has(id))
        .map((spiffeId) => ({ spiffeId, labels: {}, selectors: [] }))
      const all = [...entries, ...strangers]
      const [before, after] = [placed(set, all), placed({ ...set, rules: set.rules.slice(2) }, all)]
      const from = Math.min(...questions.map(({ now }) => now))
      const changes = diffPolicies(before, after, { ...options, moment: { from } })
      for (const question of questions) {
        const [old, now] = [before, after].map(({ tables }) => decide(tables, lifecycle, requestOf(question)))
        if (old?.raw === now?.raw || !asked.includes(question.id)) continue
        found++
        const concerned = changes.filter(
          ({ ids, service }) => ids.includes(question.id) && service === question.service,
        )
        expect(
          concerned.map(({ action }) => action),
          JSON.stringify(question),
        ).toContain(old?.action)
      }
    }
    expect(found).toBeGreaterThan(5)
  })

  test('a policy against itself changes nothing', () => {
    for (const { before } of pairs) expect(diffPolicies(before, before, options)).toEqual([])
  })

  const acmePlaced = (set: PolicySet): PlacedTables => {
    const rows = rowsOf(set)
    return { tables: compile(set, rows), rows }
  }
  const acmeDiff = (set: PolicySet) =>
    diffPolicies(acmePlaced(acme), acmePlaced(set), options).map(
      ({ change, ids, service, action }) => `${change} ${ids[0]?.split('.example').at(-1)} ${action} ${service}`,
    )

  test('tells other terms from gain and loss', () => {
    expect(acmeDiff(withRule('checkout-ledger', { actions: ['read'] }))).toEqual([
      'gained /ns/shop/sa/checkout read ledger',
      'lost /ns/shop/sa/checkout post ledger',
    ])
    expect(acmeDiff(withRule('orders-store', { when: 'net.ip in cidr("10.0.0.0/8")' }))).toEqual([
      'changed /ns/shop/sa/orders connect orders-db',
    ])
    expect(acmeDiff(withConduit('partner-settlement', { window: undefined }))).toEqual([
      'changed /billing/settle submit settlement',
    ])
    // What is said about somebody else, and what changes nothing, is no change.
    expect(acmeDiff(withRule('orders-store', { owner: 'other' }))).toEqual([])
  })

  test('traffic says which of the changes somebody would notice', () => {
    const changes = diffPolicies(
      acmePlaced(acme),
      acmePlaced(withRule('storefront-orders', { actions: ['create'] }, withRule('orders-store', { effect: 'deny' }))),
      options,
    )
    const traffic = [counter({ count: 5 }), counter({ count: 7, side: 'client' })] as Observation[]
    const touched = withTraffic(changes, traffic)
    expect(touched.map(({ change, count }) => [change.change, change.service, count])).toEqual([
      ['lost', 'orders-db', 0],
    ])
  })
})

describe('radiusByZone()', () => {
  test('tells the widest identity of a zone', () => {
    const rows = rowsOf(acme)
    const radii = radiusByZone(compile(acme, rows), rows, { ...options, variant: 'effective' })
    expect(radii.find(({ zone }) => zone === 'edge')).toMatchObject({
      identities: 5,
      maxServices: 3,
      maxCrownJewels: 0,
    })
    const closed = withZone('legacy', { mode: 'enforce' })
    expect(
      radiusByZone(compile(closed, rows), rows, { ...options, variant: 'effective' }).find(
        ({ zone }) => zone === 'edge',
      ),
    ).toMatchObject({ maxServices: 2 })
  })
})
