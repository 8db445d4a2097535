import { describe, expect, test } from 'vitest'
import type { Observation } from '../../../../src/policy/analysis/observed.ts'
import { suggest } from '../../../../src/policy/analysis/suggest.ts'
import { compile } from '../../../../src/policy/compile.ts'
import { decide } from '../../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE, type Lifecycle } from '../../../../src/policy/lifecycle.ts'
import type { PolicySet } from '../../../../src/policy/policy-set.ts'
import { counter } from '../../../cli/analyses.ts'
import { acme, entry, guard, idOf, NOW, quarantineOf, requestOf, rowsOf, withMore, withZone } from '../acme.ts'

const DAY = 20_777
const wouldDeny = {
  source: idOf('/ns/web/sa/storefront'),
  service: 'erp',
  action: 'any',
  destinationZone: 'legacy',
  conduit: null,
  rule: null,
  wouldDeny: true,
  deniedBy: 'movement',
  code: 'NO_CONDUIT',
}

/** The same flow on some days, as both ends, or one, have reported it. */
const onDays = (days: number, change: object = {}, sides = ['server', 'client']): Observation[] =>
  Array.from({ length: days }, (_, at) =>
    sides.map((side) => counter({ ...wouldDeny, day: DAY + at, side, ...change })),
  )
    .flat()
    .map((one) => one as Observation)

const registered = [
  ...['storefront', 'blog', 'canary', 'stage', 'nolabel'].map((name) => entry(`/ns/web/sa/${name}`)),
  entry('/ns/shop/sa/orders'),
]

function suggested(
  observations: Observation[],
  set: PolicySet = acme,
  lifecycle: Partial<Lifecycle> = {},
  zone?: string,
) {
  const rows = rowsOf(set, registered)
  return suggest(compile(set, rows), {
    observations,
    rows,
    lifecycle: indexLifecycle({ ...NO_LIFECYCLE, ...lifecycle }),
    now: NOW,
    zone,
  })
}

const whys = (observations: Observation[], set?: PolicySet, lifecycle?: Partial<Lifecycle>) =>
  suggested(observations, set, lifecycle).skipped.map(({ why }) => why)

describe('suggest()', () => {
  test('what it proposes lets the flow through, once it is live and the zone enforces', () => {
    const { suggestions, skipped } = suggested(onDays(3))
    expect([suggestions.length, skipped]).toEqual([1, []])
    const [{ conduit, rule, evidence }] = suggestions as [(typeof suggestions)[0]]
    expect(conduit).toMatchObject({
      stage: 'draft',
      from: { zone: 'edge', identities: ['/ns/web/sa/storefront'] },
      to: { zone: 'legacy', identities: ['/ns/erp/sa/erp'] },
      allow: [{ protocol: 'http', ports: [8443] }],
    })
    expect(rule).toMatchObject({
      stage: 'draft',
      from: [{ pattern: '/ns/web/sa/storefront' }],
      to: 'erp',
      actions: ['any'],
    })
    expect(evidence).toMatchObject({ requests: 3, sources: 1, ofZone: 5 })
    const enforced = withZone('legacy', { mode: 'enforce' })
    const live = withMore(
      { conduits: [{ ...conduit!, stage: 'live' }], rules: [{ ...rule!, stage: 'live' }] },
      enforced,
    )
    const ask = (set: PolicySet) =>
      decide(
        compile(set, rowsOf(set)),
        indexLifecycle(NO_LIFECYCLE),
        requestOf({ to: 'erp', http: { authorities: [] } }),
      ).decision
    expect([ask(enforced), ask(live)]).toEqual(['deny', 'allow'])
  })

  test('SE-47: counts only flows that both ends reported, on three days', () => {
    expect(whys(onDays(2))).toEqual(['both ends reported it on 2 of 3 days'])
    expect(whys(onDays(9, {}, ['server']))).toEqual(['both ends reported it on 0 of 3 days'])
    expect(whys(onDays(9, {}, ['client']))).toEqual(['both ends reported it on 0 of 3 days'])
    // Three days at either end, but only two of them at both.
    const apart = [
      ...onDays(3, {}, ['server']),
      ...onDays(3, {}, ['client']).map((one) => ({ ...one, day: one.day + 1 })),
    ]
    expect(whys(apart)).toEqual(['both ends reported it on 2 of 3 days'])
  })

  test('proposes nothing for who is not registered, in quarantine or offboarded, nor against guards', () => {
    const source = idOf('/ns/web/sa/stranger')
    expect(whys(onDays(3, { source }))).toEqual(['the source is not registered'])
    const quarantines = [quarantineOf({ identity: wouldDeny.source })]
    expect(whys(onDays(3), acme, { quarantines })).toEqual(['the source is in quarantine'])
    expect(whys(onDays(3), acme, { offboarded: [wouldDeny.source] })).toEqual(['the source is offboarded'])
    const guarded = withMore({ guards: [guard('no-erp', 'movement', { to: { service: 'erp' }, hard: true })] })
    expect(whys(onDays(3), guarded)).toEqual(['hard guard no-erp forbids it'])
  })

  test('lets in a whole zone only when nearly all of it does the same, and never into target 3', () => {
    const all = ['storefront', 'blog', 'canary', 'stage'].flatMap((name) =>
      onDays(3, { source: idOf(`/ns/web/sa/${name}`) }),
    )
    expect(suggested(all).suggestions[0]?.rule?.from).toEqual([{ zone: 'edge' }])
    expect(suggested(all).suggestions[0]?.conduit?.from).toEqual({ zone: 'edge', identities: undefined })
    expect(suggested(all.slice(6)).suggestions[0]?.rule?.from).toHaveLength(3)
    const high = withZone('legacy', { target: 3 })
    expect(suggested(all, high).suggestions[0]?.rule?.from).toHaveLength(4)
  })

  test('asks for no conduit where one leads there, and only for the zone that was named', () => {
    const create = onDays(3, {
      source: idOf('/ns/web/sa/blog'),
      service: 'orders',
      action: 'create',
      destinationZone: 'shop',
    })
    const [only] = suggested(create).suggestions
    expect([only?.conduit, only?.rule?.actions]).toEqual([undefined, ['create']])
    expect(suggested(create, acme, {}, 'legacy').suggestions).toEqual([])
  })
})
