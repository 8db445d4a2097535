import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Mutation, Store } from '../../server/store/store.ts'
import {
  aBatch,
  aCounter,
  aDecision,
  aFastLaneRow,
  aPolicyRow,
  aPolicyState,
  aQuarantineRow,
  roomy,
} from '../fakes/policy-objects.ts'
import { anEntry, anInstant, creating, doing } from '../fakes/store-objects.ts'
import type { StoreUnderTest } from './store.ts'

/** What every store must do with policy, lifecycle and decisions. */
export function policyStoreContract(name: string, make: () => StoreUnderTest): void {
  describe(`${name}: policy`, () => {
    let under: StoreUnderTest
    let store: Store

    beforeEach(async () => {
      under = make()
      store = await under.open(() => anInstant(0))
    })
    afterEach(async () => {
      await store[Symbol.asyncDispose]()
      await under.cleanUp()
    })

    const reasonOf = async (...mutations: readonly Mutation[]): Promise<string | undefined> => {
      const outcome = await store.commit(doing(...mutations))
      return outcome.ok ? undefined : outcome.reason
    }
    const putPolicy = (revision: number): Mutation => ({ kind: 'policy.put', row: aPolicyRow(revision) })
    const append = (sequence: number, atMs = 0): Mutation => ({
      kind: 'fastLane.append',
      row: aFastLaneRow(sequence, atMs),
    })

    test('SE-45: a policy revision is taken once and in order, however often it is put', async () => {
      expect(await reasonOf(putPolicy(2))).toBe('missing')
      expect(await reasonOf(putPolicy(1))).toBeUndefined()
      expect(await reasonOf(putPolicy(1))).toBe('stale')
      expect(await reasonOf(putPolicy(3))).toBe('stale')
      expect(await reasonOf(putPolicy(2))).toBeUndefined()
      expect((await store.policySnapshot()).policy).toEqual(aPolicyRow(2))
      expect(await store.policyRevision(1)).toEqual(aPolicyRow(1))
      expect(await store.policyRevision(7)).toBeUndefined()
      expect((await store.policyRevisions({ limit: 1 })).map(({ revision }) => revision)).toEqual([2])
      expect((await store.policyRevisions({ limit: 9, before: 2 })).map(({ revision }) => revision)).toEqual([1])
    })

    test('the fast lane has no gap, and pruning leaves the sequence that the next one is counted from', async () => {
      expect(await reasonOf(append(2))).toBe('missing')
      expect(await reasonOf(append(1, 1_000), append(2, 2_000), append(3, 3_000))).toBeUndefined()
      expect(await reasonOf(append(3))).toBe('stale')
      expect(await store.fastLane(1, 1)).toEqual([aFastLaneRow(2, 2_000)])
      await store.prune({ logBefore: new Date(2_000), auditBefore: new Date(0) })
      expect((await store.fastLane(0, 9)).map(({ sequence }) => sequence)).toEqual([2, 3])
      await store.prune({ logBefore: new Date(9_000), auditBefore: new Date(0) })
      expect((await store.fastLane(0, 9)).map(({ sequence }) => sequence)).toEqual([3])
      expect(await reasonOf(append(4))).toBeUndefined()
    })

    test('state and lifecycle objects count their changes', async () => {
      const state = (revisionNumber: number): Mutation => ({
        kind: 'policyState.put',
        row: aPolicyState({ revisionNumber }),
      })
      const quarantine = (revisionNumber: number): Mutation => ({
        kind: 'lifecycle.put',
        row: aQuarantineRow('q', { revisionNumber }),
      })
      expect(await reasonOf(state(1))).toBe('missing')
      expect(await reasonOf(state(0), quarantine(0))).toBeUndefined()
      expect(await reasonOf(state(0))).toBe('exists')
      expect(await reasonOf(quarantine(2))).toBe('stale')
      expect(await reasonOf(quarantine(1))).toBeUndefined()
      const { state: stored, lifecycle } = await store.policySnapshot()
      expect(stored).toEqual(aPolicyState())
      expect(lifecycle).toEqual([aQuarantineRow('q', { revisionNumber: 1 })])
      expect(await reasonOf({ kind: 'lifecycle.delete', id: 'q' })).toBeUndefined()
      expect(await reasonOf({ kind: 'lifecycle.delete', id: 'q' })).toBe('missing')
    })

    test('changes are told to followers with what was there before', async () => {
      await store.commit(doing(putPolicy(1), append(1), { kind: 'policyState.put', row: aPolicyState() }))
      await store.commit(doing({ kind: 'lifecycle.put', row: aQuarantineRow('q') }))
      await store.commit(doing({ kind: 'lifecycle.put', row: aQuarantineRow('q', { revisionNumber: 1 }) }))
      await store.commit(doing({ kind: 'lifecycle.delete', id: 'q' }))
      const after = aQuarantineRow('q', { revisionNumber: 1 })
      const wanted = [
        { kind: 'policy', row: aPolicyRow(1) },
        { kind: 'fastLane', row: aFastLaneRow(1) },
        { kind: 'policyState', row: aPolicyState() },
        { kind: 'lifecycle', id: 'q', before: undefined, after: aQuarantineRow('q') },
        { kind: 'lifecycle', id: 'q', before: aQuarantineRow('q'), after },
        { kind: 'lifecycle', id: 'q', before: after, after: undefined },
      ]
      const changes = async () => (await store.changesSince(0))?.flatMap((revision) => revision.changes)
      expect(await changes()).toEqual(wanted)
      store = await under.reopen(store)
      expect(await changes()).toEqual(wanted)
      expect(await store.policySnapshot()).toMatchObject({ revision: 4, policy: { revision: 1 }, lifecycle: [] })
    })

    test('ZO-11: labels of an entry come back as they went', async () => {
      await store.commit(creating(anEntry('a', { labels: { env: 'prod', 'team/name': '' } })))
      store = await under.reopen(store)
      const { entries } = await store.snapshot()
      expect(entries.map(({ labels }) => labels)).toEqual([{ env: 'prod', 'team/name': '' }])
    })

    describe('decisions', () => {
      let room = roomy
      beforeEach(() => (room = roomy))

      const add = async (...batches: readonly Parameters<typeof aBatch>[]): Promise<void> => {
        for (const [batch, fields] of batches) {
          const outcome = await store.commit(doing({ kind: 'decisions.add', batch: aBatch(batch, fields), room }))
          expect(outcome).toEqual({ ok: true, revision: 0 })
        }
      }
      const ids = async (query: object) => (await store.decisions({ limit: 9, ...query })).map(({ id }) => id)
      const counters = async (filter = {}) => Array.fromAsync(store.decisionCounters(filter))

      test('a batch that comes twice counts once, and takes no revision', async () => {
        const batch = { records: [aDecision(1)], counters: [aCounter('k', { count: 3 })], droppedRecords: 2 }
        await add([1, batch], [1, batch])
        expect(await ids({})).toEqual(['d1'])
        expect((await counters()).map(({ count }) => count)).toEqual([3])
        expect(await store.decisionCounts()).toEqual({
          ...{ records: 1, counters: 1, droppedRecords: 2, droppedCounters: 0 },
        })
      })

      test('another log of the same agent is counted by itself', async () => {
        await add([1, { records: [aDecision(1)] }], [1, { logId: 'other', records: [aDecision(1, { id: 'x' })] }])
        expect(await ids({})).toEqual(['x', 'd1'])
      })

      test('counters of one day and key are added up, those of another stand beside them', async () => {
        await add(
          [1, { counters: [aCounter('k', { count: 2, firstMs: 10, lastMs: 20 })] }],
          [2, { counters: [aCounter('k', { count: 5, firstMs: 5, lastMs: 30 }), aCounter('k', { day: 2 })] }],
        )
        expect((await counters()).map(({ day, count, firstMs, lastMs }) => [day, count, firstMs, lastMs])).toEqual([
          [1, 7, 5, 30],
          [2, 1, 10, 20],
        ])
        expect(await counters({ code: 'OTHER' })).toEqual([])
        expect(await counters({ sinceMs: 21 })).toHaveLength(1)
      })

      test('whatever is counted can be read: counts stop where numbers are no longer exact', async () => {
        const most = Number.MAX_SAFE_INTEGER
        const counter = aCounter('k', { count: most })
        const dropped = { droppedRecords: most, droppedCounters: most }
        // More than the store has whole numbers for.
        const many = Array.from({ length: 1100 }, () => counter)
        await add([1, { ...dropped, counters: many }], [2, dropped], [1, { ...dropped, logId: 'other' }])
        expect((await counters()).map(({ count }) => count)).toEqual([most])
        expect(await store.decisionCounts()).toMatchObject(dropped)
      })

      test('records are found newest first, by what they say and by position', async () => {
        await add([
          1,
          {
            records: [
              aDecision(1),
              aDecision(2, { deniedBy: 'access', code: 'NO_RULE' }),
              aDecision(3, { source: 'spiffe://example.org/b', wouldDeny: true }),
            ],
          },
        ])
        expect(await ids({})).toEqual(['d3', 'd2', 'd1'])
        expect(await ids({ limit: 2 })).toEqual(['d3', 'd2'])
        expect(await ids({ deniedBy: 'access' })).toEqual(['d2'])
        expect(await ids({ wouldDeny: true })).toEqual(['d3'])
        expect(await ids({ agent: 'nobody' })).toEqual([])
        expect(await ids({ sinceMs: 2, untilMs: 2 })).toEqual(['d2'])
        const [, second] = await store.decisions({ limit: 9 })
        expect(await ids({ before: second?.position })).toEqual(['d1'])
        expect(await ids({ after: second?.position })).toEqual(['d3'])
        expect(await store.decision('d2')).toEqual(second)
        expect(await store.decision('none')).toBeUndefined()
      })

      /** Of 100 KiB. */
      const large = (sequence: number, id: string, workload = 'spiffe://example.org/orders') =>
        aDecision(sequence, { id, workload, content: `{"seq":${sequence},"x":"${'x'.repeat(100 * 1024)}"}` })
      const dropped = async () => {
        const { droppedRecords, droppedCounters } = await store.decisionCounts()
        return { droppedRecords, droppedCounters }
      }
      /** Eight records of an agent that others have nothing to do with, in batches of two. */
      const flood = (agent: string, workload?: string): Parameters<typeof aBatch>[] =>
        [1, 2, 3, 4].map((n) => [
          n,
          { agent, logId: 'flood', records: [2 * n - 1, 2 * n].map((one) => large(one, `f${one}`, workload)) },
        ])

      test('an agent that fills its room loses its own oldest, and it is counted', async () => {
        room = { ...roomy, maxBytesPerAgent: 450 * 1024 }
        await add([1, { agent: 'quiet', records: [large(1, 'q1')] }], ...flood('loud'))
        expect(await ids({})).toEqual(['f8', 'f7', 'f6', 'f5', 'q1'])
        expect(await dropped()).toEqual({ droppedRecords: 4, droppedCounters: 0 })
        expect(await store.decisionCounts()).toMatchObject({ records: 5 })
      })

      test('a workload that floods loses its own records, not those of others at the agent', async () => {
        room = { ...roomy, maxBytesPerAgent: 450 * 1024 }
        await add([1, { agent: 'node', records: [large(1, 'q1')] }], ...flood('node', 'spiffe://example.org/loud'))
        expect(await ids({})).toEqual(['f8', 'f7', 'f6', 'q1'])
      })

      test('when all hold too much, it goes from the agent that holds most', async () => {
        room = { ...roomy, maxBytes: 550 * 1024 }
        await add([1, { agent: 'quiet', records: [large(1, 'q1')] }], ...flood('loud'))
        expect(await ids({})).toEqual(['f8', 'f7', 'f6', 'f5', 'q1'])
        // Also when it is the quiet one that comes.
        await add([2, { agent: 'quiet', records: [large(2, 'q2')] }])
        expect(await ids({})).toEqual(['q2', 'f8', 'f7', 'f6', 'q1'])
        expect(await dropped()).toEqual({ droppedRecords: 5, droppedCounters: 0 })
      })

      test('a limit that was lowered is kept for agents that report nothing more, too', async () => {
        await add([1, { agent: 'quiet', records: [large(1, 'q1')] }], ...flood('loud'))
        const before = { logBefore: new Date(0), auditBefore: new Date(0) }
        await store.prune({ ...before, decisions: { ...roomy, maxBytesPerAgent: 250 * 1024, before: new Date(0) } })
        expect(await ids({})).toEqual(['f8', 'f7', 'q1'])
        expect(await dropped()).toEqual({ droppedRecords: 6, droppedCounters: 0 })
      })

      test('too many small ones go from the agent that holds most too, and so do counters with what they counted', async () => {
        room = { ...roomy, maxRecords: 3, maxCounters: 3 }
        const loud = [2, 3, 4, 5].map((n) => aDecision(n, { id: `f${n}` }))
        const keys = ['b', 'c', 'd', 'e'].map((key, index) => aCounter(key, { day: index + 2, count: 10 }))
        await add(
          [1, { agent: 'quiet', records: [aDecision(1, { id: 'q1' })], counters: [aCounter('a', { day: 1 })] }],
          [1, { agent: 'loud', records: loud, counters: keys }],
        )
        expect(await ids({})).toEqual(['f5', 'f4', 'q1'])
        expect((await counters()).map(({ key }) => key)).toEqual(['a', 'd', 'e'])
        expect(await dropped()).toEqual({ droppedRecords: 2, droppedCounters: 20 })
      })

      test('what went for its age is not counted as dropped, and leaves room', async () => {
        room = { ...roomy, maxBytesPerAgent: 450 * 1024 }
        await add(...flood('loud'))
        await store.prune({
          ...{ logBefore: new Date(0), auditBefore: new Date(0) },
          decisions: { ...roomy, before: new Date(9) },
        })
        expect(await store.decisionCounts()).toMatchObject({ records: 0, droppedRecords: 4 })
        await add([5, { agent: 'loud', logId: 'flood', records: [9, 10].map((n) => large(n, `f${n}`)) }])
        expect(await ids({})).toEqual(['f10', 'f9'])
        expect(await dropped()).toEqual({ droppedRecords: 4, droppedCounters: 0 })
      })

      test('old ones go, and of too many the oldest', async () => {
        const many = [1, 2, 3, 4].map((n) => [
          n,
          { records: [aDecision(n)], counters: [aCounter(`k${n}`, { day: n })] },
        ])
        await add(...(many as [number, object][]))
        const pruned = (decisions: object) =>
          store.prune({
            ...{ logBefore: new Date(0), auditBefore: new Date(0) },
            decisions: { ...roomy, before: new Date(0), maxRecords: 9, maxCounters: 9, ...decisions },
          })
        await pruned({ before: new Date(2) })
        expect(await ids({})).toEqual(['d4', 'd3', 'd2'])
        await pruned({ maxRecords: 1, maxCounters: 2 })
        expect(await ids({})).toEqual(['d4'])
        expect((await counters()).map(({ key }) => key)).toEqual(['k3', 'k4'])
      })
    })
  })
}
