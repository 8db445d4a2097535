import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type CounterFacts,
  COUNTERS_MAX,
  DecisionRecorder,
  RECORDS_MAX,
} from '../../../src/enforce/decision-recorder.ts'
import type { Decision } from '../../../src/policy/decision.ts'
import { bastionGrant, decideIn, idOf, opsSession } from '../policy/acme.ts'

const facts: CounterFacts = { side: 'server', port: 8443, protocol: 'http', policyRevision: 1 }
const allowed = decideIn({}, {})
const refused = decideIn({}, { http: { target: '/admin/users' } })
const softened = decideIn({}, { to: 'erp', http: { target: '/x' } })
const bastion = { from: '/ns/ops/sa/bastion', to: 'orders-db' }
const granted = decideIn({ lifecycle: { grants: [bastionGrant] } }, bastion)
const broken = decideIn({ lifecycle: { breakGlass: [opsSession] } }, bastion)

const from = (index: number): Decision => ({ ...allowed, src: { ...allowed.src, id: idOf(`/ns/web/sa/p${index}`) } })

/** Takes one decision, and says which record is to be kept of it. */
function take(
  recorder: DecisionRecorder,
  decision: Decision,
  { atMs = 0, isReeval = false, name = 'x' } = {},
): boolean {
  return recorder.take(decision, facts, atMs, isReeval, () => () => ({ name }))
}

function namesIn(recorder: DecisionRecorder): string[] {
  const names: string[] = []
  for (let report = recorder.next(); report !== undefined; report = recorder.next()) {
    names.push(...report.records.map((bytes) => (JSON.parse(bytes.toString()) as { name: string }).name))
  }
  return names
}

describe('in full', () => {
  test.for([
    ['a refusal', refused, false],
    ['what observe let pass', softened, false],
    ['what a grant opened', granted, false],
    ['what break-glass opened', broken, false],
    ['a second thought about an open connection', allowed, true],
  ] as const)('is kept every time: %s', ([, decision, isReeval]) => {
    const recorder = new DecisionRecorder()
    for (const name of ['a', 'b', 'c']) expect(take(recorder, decision, { name, isReeval })).toBe(true)
    expect(namesIn(recorder)).toEqual(['a', 'b', 'c'])
  })

  test('is kept once a minute: what is allowed, by source, service, action and rule', () => {
    const recorder = new DecisionRecorder()
    for (const [name, atMs] of Object.entries({ first: 0, second: 59_999, third: 60_000, fourth: 60_001 })) {
      expect(take(recorder, allowed, { name, atMs })).toBe(false)
    }
    take(recorder, from(2), { name: 'other', atMs: 60_001 })
    take(recorder, { ...allowed, action: 'create' }, { name: 'another', atMs: 60_001 })
    expect(namesIn(recorder)).toEqual(['first', 'third', 'other', 'another'])
  })
})

describe('counts', () => {
  test('are exact, with the first and the last time of each thing', () => {
    const anyTake = fc.record({ who: fc.nat(3), afterMs: fc.nat(5000), reports: fc.boolean() })
    fc.assert(
      fc.property(fc.array(anyTake, { maxLength: 200 }), (takes) => {
        const recorder = new DecisionRecorder()
        const expected = new Map<string, { count: number; firstMs: number; lastMs: number }[]>()
        const seen = new Map<string, { count: number; firstMs: number; lastMs: number }[]>()
        const note = (all: typeof seen, id: string, one: { count: number; firstMs: number; lastMs: number }): void =>
          void all.set(id, [...(all.get(id) ?? []), one])
        const open = new Map<string, { count: number; firstMs: number; lastMs: number }>()
        const report = (): void => {
          for (const { source, count, firstMs, lastMs } of recorder.next()?.counters ?? []) {
            note(seen, source, { count, firstMs, lastMs })
          }
          for (const [id, one] of open) note(expected, id, one)
          open.clear()
        }
        let nowMs = 0
        for (const { who, afterMs, reports } of takes) {
          nowMs += afterMs
          const decision = from(who)
          take(recorder, decision, { atMs: nowMs })
          const id = decision.src.id ?? ''
          const before = open.get(id)
          open.set(id, { count: (before?.count ?? 0) + 1, firstMs: before?.firstMs ?? nowMs, lastMs: nowMs })
          if (reports) report()
        }
        report()
        expect(seen).toEqual(expected)
      }),
    )
  })

  test('say what was decided and what opened or closed it', () => {
    const recorder = new DecisionRecorder()
    take(recorder, allowed, { atMs: 5 })
    take(recorder, refused, { atMs: 6 })
    expect(recorder.next()?.counters).toMatchObject([
      {
        ...{ source: idOf('/ns/web/sa/storefront'), sourceZone: 'edge', service: 'orders', destinationZone: 'shop' },
        ...{ action: 'read', route: '/v1/orders/{id}', decision: 'allow', deniedBy: '', code: '' },
        ...{ movementBy: 'conduit:edge-to-shop', accessBy: 'rule:storefront-orders', count: 1, firstMs: 5, lastMs: 5 },
      },
      { decision: 'deny', deniedBy: 'access', code: 'GUARD', accessBy: 'guard:g-no-admin-from-apps', count: 1 },
    ])
  })

  test('of too many different things are dropped, and how many is told', () => {
    const recorder = new DecisionRecorder()
    for (let index = 0; index < COUNTERS_MAX + 7; index++) take(recorder, from(index))
    take(recorder, from(0))
    let [kept, dropped] = [0, 0]
    for (let report = recorder.next(); report !== undefined; report = recorder.next()) {
      kept += report.counters.reduce((sum, { count }) => sum + count, 0)
      dropped += report.droppedCounters
    }
    expect([kept, dropped]).toEqual([COUNTERS_MAX + 1, 7])
  })

  test('hurry before room for others runs out', () => {
    const recorder = new DecisionRecorder()
    const hurries = Array.from({ length: COUNTERS_MAX / 2 + 1 }, (_, index) => take(recorder, from(index)))
    expect([hurries.at(-2), hurries.at(-1)]).toEqual([false, true])
  })
})

describe('when too many records wait', () => {
  test('what was allowed goes first, then the oldest; what went is counted', () => {
    const recorder = new DecisionRecorder()
    take(recorder, allowed, { name: 'allowed' })
    take(recorder, from(2), { name: 'allowed too' })
    for (let index = 0; index < RECORDS_MAX; index++) take(recorder, refused, { name: `${index}` })
    take(recorder, refused, { name: 'last' })
    const [report, names] = [recorder.next(), namesIn(recorder)]
    expect(report?.droppedRecords).toBe(3)
    expect(JSON.parse(report?.records[0]?.toString() ?? '')).toEqual({ name: '1' })
    expect(names.at(-1)).toBe('last')
    expect([names.includes('allowed'), names.includes('allowed too')]).toEqual([false, false])
  })

  test('what is allowed pushes out nothing that is kept in full', () => {
    const recorder = new DecisionRecorder()
    for (let index = 0; index < RECORDS_MAX; index++) take(recorder, refused, { name: `${index}` })
    take(recorder, allowed, { name: 'allowed' })
    const [report, names] = [recorder.next(), namesIn(recorder)]
    expect(report?.droppedRecords).toBe(1)
    expect(names).not.toContain('allowed')
    expect(JSON.parse(report?.records[0]?.toString() ?? '')).toEqual({ name: '0' })
  })

  test('a report holds no more than an agent takes, and nothing waits after the last one', () => {
    const recorder = new DecisionRecorder()
    for (let index = 0; index < 1200; index++) take(recorder, refused)
    const sizes = [recorder.next(), recorder.next(), recorder.next()].map((report) => report?.records.length)
    expect(sizes).toEqual([500, 500, 200])
    expect([recorder.next(), recorder.size]).toEqual([undefined, 0])
  })
})
