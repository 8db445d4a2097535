import { describe, expect, test } from 'vitest'
import type { RegisteredEntry } from '../../../../src/policy/analysis/compromise.ts'
import type { Observation } from '../../../../src/policy/analysis/observed.ts'
import { checkPromotion } from '../../../../src/policy/analysis/promotion.ts'
import { zoneLevels, type LevelFacts } from '../../../../src/policy/analysis/zone-levels.ts'
import { compile } from '../../../../src/policy/compile.ts'
import type { PolicySet } from '../../../../src/policy/policy-set.ts'
import { counter } from '../../../cli/analyses.ts'
import { acme, entry, HOUR, idOf, MINUTE, NOW, rowsOf, withRule, withZone } from '../acme.ts'

const seen = (...changes: object[]): Observation[] => changes.map((change) => counter(change) as Observation)

describe('zoneLevels()', () => {
  const node = idOf('/agent/1')
  const ledger: RegisteredEntry = {
    ...entry('/ns/pay/sa/ledger', {}, ['unix:uid:1', 'docker:label:app:ledger']),
    parent: node,
    x509TtlMs: HOUR,
  }
  const traffic = seen(
    { service: 'ledger', destinationZone: 'pay' },
    { service: 'ledger', destinationZone: 'pay', side: 'client' },
    { service: 'settlement', destinationZone: 'pay' },
  )
  const facts: LevelFacts = {
    entries: [ledger],
    nodeAttestation: new Map([[node, 'x509pop']]),
    observations: traffic,
    secondSignatures: 1,
    lastQuarantineMs: NOW - HOUR,
    now: NOW,
  }
  const achieved = (change: Partial<LevelFacts> = {}, set: PolicySet = acme, zone = 'pay') =>
    zoneLevels(compile(set, []), zone, { ...facts, ...change }).map((level) => level.achieved)

  test('reaches what this product can, where everything is in place', () => {
    const levels = zoneLevels(compile(acme, []), 'pay', facts)
    expect(levels.map(({ achieved }) => achieved)).toEqual([3, 4, 3, 4, 3, 4, 3])
    expect(levels.every(({ capability, achieved }) => achieved <= capability)).toBe(true)
    // Target 4: what is not built is a gap all the same.
    expect(levels.filter(({ gap }) => gap !== undefined).map(({ requirement }) => requirement)).toEqual([
      'identification and authentication',
      'system integrity',
      'restricted data flow',
      'resource availability',
    ])
  })

  test.for<[string, Partial<LevelFacts>, number, number]>([
    ['nodes that joined by token', { nodeAttestation: new Map([[node, 'join_token']]) }, 0, 1],
    ['nodes about which nothing is known', { nodeAttestation: undefined }, 0, 1],
    ['one attestor', { entries: [{ ...ledger, selectors: ['unix:uid:1', 'unix:gid:1'] }] }, 0, 2],
    ['SVIDs of five hours', { entries: [{ ...ledger, x509TtlMs: 5 * HOUR }] }, 0, 1],
    ['SVIDs of two days', { entries: [{ ...ledger, x509TtlMs: 48 * HOUR }] }, 0, 0],
    ['nobody registered', { entries: [] }, 0, 0],
    ['one signature', { secondSignatures: 0 }, 2, 2],
    ['a service that was never seen to enforce', { observations: traffic.slice(0, 2) }, 3, 1],
    ['callers that do not enforce', { observations: [traffic[0], traffic[2]] as Observation[] }, 4, 2],
    ['decisions that do not arrive', { observations: undefined }, 5, 1],
    ['no drill this month', { lastQuarantineMs: NOW - 40 * 24 * HOUR }, 5, 3],
  ])('%s', ([, change, requirement, level]) => {
    const [before, after] = [achieved(), achieved(change)]
    expect(after[requirement]).toBe(level)
    expect(after[requirement]).toBeLessThan(before[requirement] as number)
  })

  test('the policy itself counts: wildcards, standing administration, observe, old connections, kept policy', () => {
    expect(achieved({}, withRule('checkout-ledger', { from: [{ pattern: '/ns/shop/**' }] }))[1]).toBe(2)
    // Orders lets operators administer by a rule, and the web by a pattern.
    expect(achieved({}, acme, 'shop')[1]).toBe(2)
    expect(
      achieved(
        {},
        withRule('web-read', { stage: 'draft' }, withRule('support-read', { from: [{ pattern: '/ns/ops/x' }] })),
        'shop',
      )[1],
    ).toBe(3)
    expect(achieved({}, acme, 'legacy').slice(1, 2)).toEqual([1])
    expect(achieved({}, acme, 'legacy')[4]).toBe(1)
    const slow = { ...acme, settings: { ...acme.settings, connection: { maxAgeMs: 2 * HOUR, drainMs: 0 } } }
    expect(achieved({}, slow)[3]).toBe(3)
    const kept = {
      ...acme,
      settings: { ...acme.settings, bundle: { ...acme.settings.bundle, onHardStale: 'keep' as const } },
    }
    expect([achieved({}, kept, 'shop')[6], achieved({}, kept, 'pay')[6]]).toEqual([2, 3])
    const short = { ...acme, settings: { ...acme.settings, x509TtlMs: { 4: 10 * MINUTE } as const } }
    expect(achieved({ entries: [{ ...ledger, x509TtlMs: 48 * HOUR }] }, short)[0]).toBe(3)
  })
})

describe('checkPromotion()', () => {
  const DAY_MS = 24 * HOUR
  const rows = rowsOf(acme)
  const flow = (daysAgo: number, change: object = {}) =>
    ['server', 'client'].map((side) => ({
      ...{ service: 'erp', destinationZone: 'legacy', action: 'any', wouldDeny: true, side },
      ...{ firstMs: NOW - daysAgo * DAY_MS, lastMs: NOW - daysAgo * DAY_MS, ...change },
    }))
  const check = (observations: Observation[], observingSinceMs?: number, set: PolicySet = acme) =>
    checkPromotion(compile(set, rows), 'legacy', { rows, observations, observingSinceMs, now: NOW }).map(
      ({ passed }) => passed,
    )
  const covered = withZone('shop', { mode: 'observe' })

  test('watched long enough, nobody refused, everybody covered', () => {
    const old = seen(...flow(20, { source: idOf('/ns/nobody') }))
    expect(check(old)).toEqual([true, true, true])
    expect(check([])).toEqual([false, true, true])
    expect(check(old, NOW - 3 * DAY_MS)).toEqual([false, true, true])
    expect(check(seen(...flow(13)))).toEqual([false, true, false])
  })

  test('a would-deny of this week stands in the way, an older one only while no rule covers it', () => {
    expect(check(seen(...flow(20), ...flow(2)))).toEqual([true, false, false])
    expect(check(seen(...flow(20), ...flow(8)))).toEqual([true, true, false])
    const orders = { service: 'orders', destinationZone: 'legacy', action: 'read' }
    expect(check(seen(...flow(20, orders)), undefined, covered)).toEqual([true, true, true])
  })

  test('SE-47: what one end alone reported does not count', () => {
    const [server] = flow(2)
    expect(check(seen(...flow(20, { source: idOf('/ns/x') }), { ...server }))).toEqual([true, true, true])
  })
})
