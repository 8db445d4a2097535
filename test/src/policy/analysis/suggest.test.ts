import { describe, expect, test } from 'vitest'
import type { Observation } from '../../../../src/policy/analysis/observed.ts'
import { suggest } from '../../../../src/policy/analysis/suggest.ts'
import { compile } from '../../../../src/policy/compile.ts'
import { decide } from '../../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE, type Lifecycle } from '../../../../src/policy/lifecycle.ts'
import type { RegisteredIdentity } from '../../../../src/policy/membership.ts'
import type { PolicySet } from '../../../../src/policy/policy-set.ts'
import { counter } from '../../../cli/analyses.ts'
import { acme, entry, guard, idOf, NOW, quarantineOf, requestOf, rowsOf, rule, withMore, withZone } from '../acme.ts'

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
  entries: readonly RegisteredIdentity[] = registered,
) {
  const rows = rowsOf(set, entries)
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

  test('proposes nothing for what the policy has changed since, nor for what is in no zone', () => {
    expect(whys(onDays(3, { action: 'gone' }))).toEqual(['the service has no such action any more'])
    expect(whys(onDays(3, { port: 9999 }))).toEqual(['the service does not listen there any more'])
    expect(whys(onDays(3, { service: 'gone' }))).toEqual(['the source or the service is not known any more'])
    expect(whys(onDays(3), withZone('legacy', { members: [] }))).toEqual(['the service is not in one zone'])
    expect(whys(onDays(3), withZone('edge', { members: [] }))).toEqual(['the source is not in one zone'])
  })

  const by = (...names: readonly string[]) => names.flatMap((name) => onDays(3, { source: idOf(`/ns/web/sa/${name}`) }))
  const fromOf = (observations: Observation[], set?: PolicySet, entries?: readonly RegisteredIdentity[]) =>
    suggested(observations, set, {}, undefined, entries).suggestions.map(({ rule }) => rule?.from)

  test('names a pattern only where four of five whom it names do the same, and never into target 3', () => {
    const all = by('storefront', 'blog', 'canary', 'stage')
    const [{ conduit, rule, evidence }] = suggested(all).suggestions as [ReturnType<typeof suggested>['suggestions'][0]]
    expect(rule?.from).toEqual([{ pattern: '/ns/web/sa/*' }])
    expect(conduit?.from).toEqual({ zone: 'edge', identities: ['/ns/web/sa/*'] })
    expect(evidence.beyond).toEqual([{ source: idOf('/ns/web/sa/nolabel'), service: 'erp', action: 'any' }])
    expect(evidence.isOpen).toBe(true)
    expect(fromOf(all.slice(6))[0]).toHaveLength(3)
    expect(fromOf(all, withZone('legacy', { target: 3 }))[0]).toHaveLength(4)
  })

  test('names nobody whom a deny rule refuses, not with a pattern either', () => {
    const deny = rule('no', [{ pattern: '/ns/web/sa/nolabel' }], 'erp', { effect: 'deny', actions: ['any'] })
    const all = by('storefront', 'blog', 'canary', 'stage')
    expect(fromOf(all, withMore({ rules: [deny] }))[0]).toHaveLength(4)
    expect(whys(by('nolabel'), withMore({ rules: [deny] }))).toEqual(['rule no denies it'])
    const wide = { ...deny, from: [{ pattern: '/ns/web/**' }] }
    expect(fromOf(all, withMore({ rules: [wide] }))).toEqual([])
    const until = { ...wide, valid: { from: undefined, until: NOW } }
    expect(fromOf(all, withMore({ rules: [until] }))[0]).toHaveLength(1)
    const never = { ...wide, when: 'src.target > 3' }
    expect(fromOf(all, withMore({ rules: [never] }))[0]).toHaveLength(1)
  })

  test('of patterns, labels and the zone, it takes what names the fewest others', () => {
    const web = (path: string, labels = {}) => entry(`/ns/web/${path}`, labels)
    const prod = { env: 'prod' }
    const entries = [web('a/1', prod), web('b/1', prod), web('c/1', prod), web('a/2'), web('b/2'), web('c/2')]
    const seen = ['a/1', 'b/1', 'c/1'].flatMap((path) => onDays(3, { source: idOf(`/ns/web/${path}`) }))
    const [only] = suggested(seen, acme, {}, undefined, entries).suggestions
    expect(only?.rule).toMatchObject({
      from: [{ pattern: '/ns/web/*/1' }],
    })
    const apart = [web('a/1', prod), web('b', prod), web('c/1', prod), web('a/2'), web('b/2'), web('c/2')]
    const labelled = ['a/1', 'b', 'c/1'].flatMap((path) => onDays(3, { source: idOf(`/ns/web/${path}`) }))
    const [byLabel] = suggested(labelled, acme, {}, undefined, apart).suggestions
    expect(byLabel?.rule).toMatchObject({
      from: [{ zone: 'edge' }],
      when: 'src.labels has "env" && src.labels["env"] == "prod"',
    })
    expect(byLabel?.conduit?.from).toEqual({ zone: 'edge', identities: undefined })
    expect(byLabel?.evidence.beyond).toEqual([])
    const members = [{ spiffe: '/ns/web/**' }, { spiffe: '/cdn/**' }]
    const everybody = [web('a'), entry('/cdn/b')]
    const both = ['/ns/web/a', '/cdn/b'].flatMap((path) => onDays(3, { source: idOf(path) }))
    expect(fromOf(both, withZone('edge', { members }), everybody)).toEqual([[{ zone: 'edge' }]])
  })

  test('where no one form fits all, each branch has its own', () => {
    const web = (path: string) => entry(`/ns/web/${path}`)
    const entries = ['a/1', 'a/2', 'a/3', 'b/1', 'b/2', 'b/3', 'b/4', 'c/1', 'c/2', 'c/3'].map(web)
    const seen = ['a/1', 'a/2', 'a/3', 'b/2', 'c/1', 'c/2', 'c/3'].flatMap((path) =>
      onDays(3, { source: idOf(`/ns/web/${path}`) }),
    )
    expect(fromOf(seen, acme, entries)).toEqual([
      [{ pattern: '/ns/web/a/*' }, { pattern: '/ns/web/b/2' }, { pattern: '/ns/web/c/*' }],
    ])
  })

  test('SE-47: identities that the policy treats alike are evidence for each other, of what both ends of each reported', () => {
    const entries = ['pod-1', 'pod-2', 'pod-3'].map((name) => entry(`/ns/web/pods/${name}`))
    const once = (name: string, at: number, sides?: string[]) =>
      onDays(1, { source: idOf(`/ns/web/pods/${name}`), day: DAY + at }, sides)
    const pods = [...once('pod-1', 0), ...once('pod-2', 1), ...once('pod-3', 2)]
    expect(fromOf(pods, acme, entries)).toEqual([[{ pattern: '/ns/web/pods/*' }]])
    const oneSided = [...once('pod-1', 0), ...once('pod-2', 1), ...once('pod-3', 2, ['server'])]
    const { suggestions, skipped } = suggested(oneSided, acme, {}, undefined, entries)
    expect([suggestions, skipped.map(({ why }) => why)]).toEqual([
      [],
      [2, 2, 0].map((days) => `both ends reported it on ${days} of 3 days`),
    ])
  })

  test('§4.9: who is stopped, or not registered, is no evidence for others', () => {
    const entries = ['pod-1', 'pod-2'].map((name) => entry(`/ns/web/pods/${name}`))
    const of = (name: string, days: number) => onDays(days, { source: idOf(`/ns/web/pods/${name}`) })
    const daysOf = (other: string, lifecycle: Partial<Lifecycle> = {}) =>
      suggested([...of('pod-1', 1), ...of(other, 3)], acme, lifecycle, undefined, entries).skipped.find(
        ({ flow }) => flow.source === idOf('/ns/web/pods/pod-1'),
      )?.why
    const one = 'both ends reported it on 1 of 3 days'
    const pod = idOf('/ns/web/pods/pod-2')
    expect(daysOf('pod-2')).toBeUndefined()
    expect(daysOf('pod-2', { quarantines: [quarantineOf({ identity: pod })] })).toBe(one)
    expect(daysOf('pod-2', { offboarded: [pod] })).toBe(one)
    expect(daysOf('pod-3')).toBe(one)
  })

  test('tells what a path that is opened lets others do who had a right without one', () => {
    const rights = [rule('right', [{ zone: 'edge' }], 'erp', { actions: ['any'] })]
    const all = by('storefront', 'blog', 'canary', 'stage')
    const [only] = suggested(all, withMore({ rules: rights })).suggestions
    expect([only?.rule, only?.conduit?.from.identities]).toEqual([undefined, ['/ns/web/sa/*']])
    expect(only?.evidence.beyond).toEqual([{ source: idOf('/ns/web/sa/nolabel'), service: 'erp', action: 'any' }])
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
