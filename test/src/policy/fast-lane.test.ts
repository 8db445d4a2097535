import { describe, expect, test } from 'vitest'
import { applyFastLane, withoutEnded, type FastLaneEvent } from '../../../src/policy/fast-lane.ts'
import { NO_LIFECYCLE, type Grant, type Lifecycle } from '../../../src/policy/lifecycle.ts'

const after = (...events: readonly FastLaneEvent[]): Lifecycle =>
  events.reduce(
    (lifecycle, event) => applyFastLane(lifecycle, { ...event, sequence: lifecycle.sequence + 1 }),
    NO_LIFECYCLE,
  )

const aGrant = (id: string, until: number): Grant => ({
  ...{ id, template: 'oncall', subject: 'spiffe://example.org/ops', requester: 'a', approvers: ['b'] },
  movement: { from: { zone: 'ops' }, to: { zone: 'data', identities: undefined }, allow: [] },
  access: { to: 'db', actions: ['connect'] },
  ...{ from: 0, until },
})
const aQuarantine = (id: string, reason = 'stolen key') => ({
  ...{ id, target: { identity: 'spiffe://example.org/a' }, forensics: [], reason, since: 1 },
})

describe('applyFastLane()', () => {
  test('counts every entry', () => {
    expect(after({ kind: 'offboard', body: { spiffeId: 'spiffe://example.org/a' } }).sequence).toBe(1)
  })

  test.for<readonly [string, FastLaneEvent, FastLaneEvent, keyof Lifecycle]>([
    [
      'quarantine',
      { kind: 'quarantine.add', body: aQuarantine('q1') },
      { kind: 'quarantine.remove', body: { id: 'q1' } },
      'quarantines',
    ],
    [
      'offboarding',
      { kind: 'offboard', body: { spiffeId: 'spiffe://example.org/a' } },
      { kind: 'reinstate', body: { spiffeId: 'spiffe://example.org/a' } },
      'offboarded',
    ],
    ['grant', { kind: 'grant.add', body: aGrant('g1', 9) }, { kind: 'grant.end', body: { id: 'g1' } }, 'grants'],
    [
      'session',
      {
        kind: 'breakGlass.start',
        body: {
          ...{ id: 'b1', declaration: 'bg', subjects: [], from: [], to: [], overrides: [], since: 0, until: 9 },
          startedBy: ['a', 'b'],
        },
      },
      { kind: 'breakGlass.end', body: { id: 'b1' } },
      'breakGlass',
    ],
    [
      'serial',
      { kind: 'serial.revoke', body: { spiffeId: 'spiffe://example.org/a', serialNumber: 'ab' } },
      { kind: 'serial.forget', body: { spiffeId: 'spiffe://example.org/a', serialNumber: 'ab' } },
      'revokedSerials',
    ],
  ])('a %s stands until its own end, and standing twice is standing once', ([, add, end, list]) => {
    expect(after(add)[list]).toHaveLength(1)
    expect(after(add, add)[list]).toHaveLength(1)
    expect(after(add, end)[list]).toHaveLength(0)
  })

  test('ends only what is named', () => {
    const { quarantines } = after(
      { kind: 'quarantine.add', body: aQuarantine('q1') },
      { kind: 'quarantine.add', body: aQuarantine('q2') },
      { kind: 'quarantine.remove', body: { id: 'q1' } },
    )
    expect(quarantines.map(({ id }) => id)).toEqual(['q2'])
  })
})

test('withoutEnded() drops what ends now, and keeps what ends later', () => {
  const lifecycle = after({ kind: 'grant.add', body: aGrant('g1', 10) }, { kind: 'grant.add', body: aGrant('g2', 11) })
  expect(withoutEnded(lifecycle, 10).grants.map(({ id }) => id)).toEqual(['g2'])
})
