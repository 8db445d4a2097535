import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import {
  type AuthorityFacts,
  planRotation,
  refreshHintFor,
  type RotationFacts,
  rotationTimes,
} from '../../../server/authority/rotation.ts'
import type { AuthorityRow } from '../../../server/store/store.ts'
import { DAY, HOUR, MINUTE } from './authority-world.ts'

const start = Date.parse('2026-11-23T12:00:00Z')
const at = (ms: number): Date => new Date(start + ms)
const agent = SpiffeId.parse('spiffe://example.org/spire/agent/join_token/one')

function authority(row: Partial<AuthorityRow>, facts: Partial<AuthorityFacts> = {}): AuthorityFacts {
  return {
    row: {
      serverId: 'server-1',
      kind: 'x509',
      authorityId: 'a',
      state: 'active',
      keyName: 'x509-a',
      keyType: 'ec-p256',
      publicDer: [Buffer.of(0)],
      notBefore: at(0),
      notAfter: at(7 * DAY),
      tainted: false,
      publishedRevision: 1,
      changedAt: at(0),
      ...row,
    },
    hasKey: true,
    isInBundle: true,
    lastSvidEnds: at(0),
    ...facts,
  }
}

const plan = (authorities: readonly AuthorityFacts[], facts: Partial<RotationFacts> = {}) =>
  planRotation({
    authorities,
    now: at(0),
    longestSvidMs: HOUR,
    refreshHintSeconds: 300,
    missing: () => [],
    mayRemove: true,
    joinsOthers: false,
    ...facts,
  })

describe('planRotation()', () => {
  test('prepares the first authority, and activates it at once', () => {
    expect(plan([]).step).toEqual({ do: 'prepare' })
    expect(plan([authority({ state: 'prepared' }, { isInBundle: false })]).step).toEqual({
      do: 'activate',
      authorityId: 'a',
      missing: [],
    })
  })

  test('waits half of the life of the active one before it prepares the next', () => {
    expect(plan([authority({})], { now: at(3.5 * DAY - 1) })).toMatchObject({ step: undefined, again: at(3.5 * DAY) })
    expect(plan([authority({})], { now: at(3.5 * DAY) }).step).toEqual({ do: 'prepare' })
  })

  const published = { authorityId: 'b', state: 'published', notAfter: at(11 * DAY), changedAt: at(3.5 * DAY) } as const

  test('FE-09 publishes a key three refresh intervals before its first signature, whoever has acknowledged', () => {
    const both = [authority({}), authority(published)]
    expect(plan(both, { now: at(3.5 * DAY + 15 * MINUTE - 1) }).step).toBeUndefined()
    expect(plan(both, { now: at(3.5 * DAY + 15 * MINUTE) }).step).toMatchObject({ do: 'activate', authorityId: 'b' })
  })

  test('waits for every live agent, and names those it waits for', () => {
    const waiting = plan([authority({}), authority(published)], { now: at(4 * DAY), missing: () => [agent] })
    expect(waiting.step).toBeUndefined()
    expect(waiting.waiting).toMatchObject([{ authorityId: 'b', missing: [agent] }])
    expect(waiting.waiting[0]?.for).toContain(`1 agents to acknowledge it, until`)
    expect(waiting.waiting[0]?.for).toContain(agent.toString())
  })

  test('waits no longer than half of the time before the active one must be replaced, and names who was missing', () => {
    const limit = 3.5 * DAY + (3.5 * DAY - HOUR) / 2
    const both = [authority({}), authority(published)]
    expect(plan(both, { now: at(limit - 1), missing: () => [agent] }).step).toBeUndefined()
    expect(plan(both, { now: at(limit), missing: () => [agent] }).step).toEqual({
      do: 'activate',
      authorityId: 'b',
      missing: [agent],
    })
  })

  test('leaves an authority that was prepared by hand until rotation is due', () => {
    const early = authority({ ...published, changedAt: at(HOUR) })
    expect(plan([authority({}), early], { now: at(2 * HOUR) })).toMatchObject({ step: undefined, again: at(3.5 * DAY) })
    expect(plan([authority({}), early], { now: at(3.5 * DAY) }).step).toMatchObject({ do: 'activate' })
  })

  test('replaces at once an authority that expired, lost its key, or left the bundle', () => {
    expect(plan([authority({})], { now: at(8 * DAY) }).step).toEqual({ do: 'prepare' })
    expect(plan([authority({}, { hasKey: false })]).step).toEqual({ do: 'prepare' })
    expect(plan([authority({}, { isInBundle: false })]).step).toEqual({ do: 'prepare' })
  })

  test('publishes first and waits for acknowledgements, seconds at most, where other servers sign already', () => {
    const prepared = authority({ state: 'prepared' }, { isInBundle: false })
    expect(plan([prepared], { joinsOthers: true }).step).toEqual({ do: 'publish', authorityId: 'a' })
    const waits = { joinsOthers: true, missing: () => [agent] }
    expect(plan([authority({ state: 'published' })], waits).step).toBeUndefined()
    expect(plan([authority({ state: 'published' })], { joinsOthers: true }).step).toMatchObject({ do: 'activate' })
    expect(plan([authority({ state: 'published' })], { ...waits, now: at(30_000) }).step).toMatchObject({
      do: 'activate',
      missing: [agent],
    })
  })

  test('FE-10 removes an old authority after the last of its SVIDs, and a margin', () => {
    const old = authority({ authorityId: 'old', state: 'old' }, { lastSvidEnds: at(HOUR) })
    const active = authority({})
    expect(plan([old, active], { now: at(HOUR + 10 * MINUTE - 1) }).step).toBeUndefined()
    expect(plan([old, active], { now: at(HOUR + 10 * MINUTE) }).step).toEqual({ do: 'remove', authorityIds: ['old'] })
  })

  test('SE-20 removes nothing while the wall clock is not to be believed', () => {
    const old = authority({ authorityId: 'old', state: 'old' })
    const waits = plan([old, authority({})], { now: at(2 * DAY), mayRemove: false })
    expect(waits.step).toBeUndefined()
    expect(waits.waiting).toContainEqual({ authorityId: 'old', for: 'the wall clock to be steady', missing: [] })
  })

  test('discards what was prepared and can never sign', () => {
    const lost = authority({ authorityId: 'lost', state: 'prepared' }, { hasKey: false, isInBundle: false })
    expect(plan([authority({}), lost]).step).toEqual({ do: 'remove', authorityIds: ['lost'] })
  })

  test('never activates what cannot sign, whatever the facts', () => {
    const anyAuthority = fc
      .record({
        state: fc.constantFrom('prepared', 'published', 'active', 'old', 'removed' as const),
        from: fc.integer({ min: -20, max: 20 }),
        days: fc.integer({ min: 1, max: 20 }),
        changed: fc.integer({ min: -20, max: 20 }),
        hasKey: fc.boolean(),
        isInBundle: fc.boolean(),
      })
      .map(({ state, from, days, changed, hasKey, isInBundle }) =>
        authority(
          { state, notBefore: at(from * DAY), notAfter: at((from + days) * DAY), changedAt: at(changed * DAY) },
          { hasKey, isInBundle },
        ),
      )
    fc.assert(
      fc.property(
        fc.array(anyAuthority, { maxLength: 5 }),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        (found, mayRemove, joinsOthers, isMissing) => {
          const authorities = found.map((one, index) => ({ ...one, row: { ...one.row, authorityId: `${index}` } }))
          const missing = () => (isMissing ? [agent] : [])
          const { step } = plan(authorities, { mayRemove, joinsOthers, missing })
          if (step?.do === 'activate' || step?.do === 'publish') {
            const { row, hasKey } = authorities[Number(step.authorityId)]!
            expect(hasKey && row.notBefore <= at(0) && at(0) < row.notAfter).toBe(true)
            expect(['prepared', 'published']).toContain(row.state)
          }
          if (step?.do === 'remove') {
            expect(mayRemove).toBe(true)
            for (const id of step.authorityIds) expect(authorities[Number(id)]!.row.state).not.toBe('active')
          }
        },
      ),
    )
  })
})

describe('rotationTimes()', () => {
  test('leaves time between preparing and replacing, however long SVIDs live', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 * 365 * 24 }),
        fc.integer({ min: 1, max: 10 * 365 * 24 }),
        (life, svid) => {
          const { prepareAt, replaceBy } = rotationTimes({ notBefore: at(0), notAfter: at(life * HOUR) }, svid * HOUR)
          expect(prepareAt >= at((life * HOUR) / 2)).toBe(true)
          expect(replaceBy > prepareAt && replaceBy < at(life * HOUR)).toBe(true)
        },
      ),
    )
  })

  test('TB-11 the refresh hint is a whole number from 1, at most a quarter of the time that publication takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 1e8 }), fc.integer({ min: 1, max: 1e6 }), (life, svid) => {
        const hint = refreshHintFor(life * 1000, svid * 1000, 300)
        const { prepareAt, replaceBy } = rotationTimes({ notBefore: at(0), notAfter: at(life * 1000) }, svid * 1000)
        expect(Number.isInteger(hint) && hint >= 1 && hint <= 300).toBe(true)
        if (hint > 1) expect(hint * 1000 * 4).toBeLessThanOrEqual((replaceBy.getTime() - prepareAt.getTime()) / 2)
      }),
    )
  })
})
