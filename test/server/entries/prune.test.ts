import { describe, expect, test } from 'vitest'
import { ClockSteadiness } from '../../../server/authority/clock-steadiness.ts'
import { Directory } from '../../../server/entries/directory.ts'
import { prune } from '../../../server/entries/prune.ts'
import type { Mutation } from '../../../server/store/store.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { silentLog } from '../../../src/log/log.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { aBatch, aDecision, roomy } from '../../fakes/policy-objects.ts'
import { anAgent, anEntry, anId, anInstant, doing } from '../../fakes/store-objects.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SETTLE_MS = 10 * 60_000

async function running(...mutations: readonly Mutation[]) {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  await store.commit(doing(...mutations))
  const directory = await Directory.open({
    store,
    trustDomain: TrustDomain.parse('example.org'),
    clock,
    log: silentLog,
  })
  const stop = new AbortController()
  const done = prune(
    {
      ...{ directory, store, clock, log: silentLog },
      steadiness: new ClockSteadiness(clock, SETTLE_MS),
      purgeAgentsAfterMs: 10 * DAY_MS,
      auditRetentionMs: 90 * DAY_MS,
      decisions: { ...roomy, retentionMs: 2 * DAY_MS, maxRecords: 2, maxCounters: 9 },
    },
    stop.signal,
  )
  return {
    ...{ clock, store, directory },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await done
      await directory[Symbol.asyncDispose]()
    },
  }
}

const types = async (store: MemoryStore): Promise<string[]> =>
  (await Array.fromAsync(store.audit({}))).map(({ type }) => type)

describe('prune()', () => {
  test('removes an entry at its end and records it', async () => {
    await using server = await running(
      { kind: 'entry.create', entry: anEntry('ends', { expiresAt: anInstant(1800) }) },
      { kind: 'entry.create', entry: anEntry('stays') },
    )
    await server.clock.advance(1799_000)
    expect(server.directory.entry('ends')).toBeDefined()
    await server.clock.advance(2000)
    expect(server.directory.entry('ends')).toBeUndefined()
    expect(server.directory.entry('stays')).toBeDefined()
    expect(await types(server.store)).toEqual(['entry.deleted'])
  })

  test('removes decisions by age, and the oldest of too many', async () => {
    await using server = await running()
    const report = (batch: number) =>
      server.store.commit(
        doing({
          kind: 'decisions.add',
          room: roomy,
          batch: aBatch(batch, { receivedMs: server.clock.now().getTime(), records: [aDecision(batch)] }),
        }),
      )
    const left = async () => (await server.store.decisions({ limit: 9 })).map(({ id }) => id)
    for (const batch of [1, 2, 3]) await report(batch)
    await server.clock.advance(2 * HOUR_MS)
    expect(await left()).toEqual(['d3', 'd2'])
    await server.clock.advance(DAY_MS)
    await report(4)
    await server.clock.advance(DAY_MS)
    expect(await left()).toEqual(['d4'])
  })

  test('purges agents by age with the aliases that only they had; banned ones stay banned', async () => {
    const gone = anId('/spire/agent/gone')
    await using server = await running(
      { kind: 'agent.put', agent: anAgent('gone') },
      { kind: 'agent.put', agent: anAgent('banned', { banned: true }) },
      { kind: 'agent.put', agent: anAgent('alive', { expiresAt: anInstant(9 * 86_400) }) },
      {
        kind: 'entry.create',
        entry: anEntry('alias', { parentId: gone, selectors: [parseSelector(`spiffe_id:${gone.toString()}`)] }),
      },
    )
    await server.clock.advance(10 * DAY_MS + 2 * HOUR_MS)
    const left = [...server.directory.agents()].map(({ spiffeId }) => spiffeId.path.split('/').at(-1))
    expect(new Set(left)).toEqual(new Set(['alive', 'banned']))
    expect(server.directory.entry('alias')).toBeUndefined()
    expect(await types(server.store)).toContain('agent.purged')
  })

  test('SE-20 destroys nothing after the wall clock jumped, until it has run evenly for a while', async () => {
    await using server = await running(
      { kind: 'agent.put', agent: anAgent('a') },
      { kind: 'entry.create', entry: anEntry('e', { parentId: anId('/spire/agent/a'), expiresAt: anInstant(86_400) }) },
    )
    await server.clock.advance(HOUR_MS)
    server.clock.jump(20 * DAY_MS)
    await server.clock.advance(SETTLE_MS - 120_000)
    expect(server.directory.agent(anId('/spire/agent/a'))).toBeDefined()
    expect(server.directory.entry('e')).toBeDefined()
    // It is not handed out for all that.
    expect(server.directory.entitled(anId('/spire/agent/a'))).toEqual([])
    server.clock.jump(-20 * DAY_MS)
    await server.clock.advance(2 * SETTLE_MS)
    expect(server.directory.entry('e')).toBeDefined()
    expect(server.directory.entitled(anId('/spire/agent/a'))).toHaveLength(1)
    server.clock.jump(20 * DAY_MS)
    await server.clock.advance(2 * SETTLE_MS)
    expect(server.directory.entry('e')).toBeUndefined()
    expect(server.directory.agent(anId('/spire/agent/a'))).toBeUndefined()
  })
})
