import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reportDecisions, RECORD_MAX_BYTES } from '../../../server/sync/report-decisions.ts'
import { canonicalJson } from '../../../src/jws/canonical-json.ts'
import type { DecisionCounter } from '../../../src/wire/messages/sallyport-policy-v1.ts'
import type { DecisionBatch, DecisionRecord } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { roomy } from '../../fakes/policy-objects.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { testServer, type TestServer } from './test-server.ts'

const agent = 'spiffe://example.org/spire/agent/1'
const record = (sequence: number, fields: object = {}): DecisionRecord => ({
  sequence,
  content: Buffer.from(
    canonicalJson({
      ...{ v: 1, ts: '2026-11-20T12:00:00.000Z', id: `d${sequence}`, seq: sequence, prev: '', decision: 'deny' },
      ...{ wouldDeny: false, deniedBy: 'movement', code: 'NO_CONDUIT' },
      ...{ src: { id: 'spiffe://example.org/web/store', zone: 'web' }, dst: { service: 'orders', zone: 'shop' } },
      ...fields,
    }),
  ),
})
const counter = (fields: Partial<DecisionCounter> = {}): DecisionCounter => ({
  ...{ source: 'spiffe://example.org/web/store', sourceZone: 'web', service: 'orders', destination: '' },
  ...{ destinationZone: 'shop', action: 'read', movementBy: 'conduit:a', accessBy: 'rule:b', decision: 'allow' },
  ...{ wouldDeny: false, deniedBy: '', code: '', side: 'server', policyRevision: 1, count: 3 },
  ...{ firstMs: 1000, lastMs: 2000, port: 8443, protocol: 'http', route: '/v1/orders' },
  ...fields,
})
const batch = (number: number, fields: Partial<DecisionBatch> = {}): DecisionBatch => ({
  ...{ logId: 'log', batch: number, records: [], counters: [], droppedRecords: 0, droppedCounters: 0 },
  ...fields,
})

describe('decisions', () => {
  let server: TestServer

  beforeEach(async () => {
    server = await testServer()
  })
  afterEach(() => server[Symbol.asyncDispose]())

  const report = (one: DecisionBatch) => reportDecisions(one, agent, { ...server.deps, decisionRoom: roomy })
  const filter = (fields: object) => ({
    ...{ decision: '', wouldDeny: false, deniedBy: '', code: '', source: '', sourceZone: '', service: '' },
    ...{ destinationZone: '', agent: '', sinceMs: 0, untilMs: 0, ...fields },
  })
  const list = async (fields: object = {}, page: object = {}): Promise<string[]> => {
    const request = { filter: filter(fields), limit: 0, beforePosition: 0, ...page }
    const { decisions = [] } = await server.decisions.list(request, server.local())
    return decisions.map(({ id }) => id ?? '')
  }

  test('are acknowledged when they are stored, once however often they come', async () => {
    const one = batch(1, {
      records: [record(1), record(2, { code: 'NO_RULE', deniedBy: 'access' })],
      counters: [counter()],
    })
    expect(await report(one)).toEqual({ logId: 'log', batch: 1, sequence: 2 })
    expect(await report(one)).toEqual({ logId: 'log', batch: 1, sequence: 2 })
    expect(await list()).toEqual(['d2', 'd1'])
    expect(await list({ deniedBy: 'access' })).toEqual(['d2'])
    expect(await list({ source: 'spiffe://example.org/web/store', code: 'NO_CONDUIT' })).toEqual(['d1'])
    expect(await list({ service: 'other' })).toEqual([])
    expect(await list({}, { limit: 1 })).toEqual(['d2'])
    const pages = await Array.fromAsync(server.decisions.listCounters({ filter: null }, server.local()))
    expect(pages.flatMap(({ counters = [] }) => counters)).toEqual([{ agent, day: 0, counter: counter() }])
    const found = await server.decisions.get({ id: 'd1' }, server.local())
    expect(Buffer.from(found.content ?? []).toString()).toBe(record(1).content.toString())
    await expect(server.decisions.get({ id: 'none' }, server.local())).rejects.toThrowCode('ITEM_NOT_FOUND')
  })

  test.for<readonly [string, Partial<DecisionBatch>, string]>([
    ['a log without a name', { logId: 'a b' }, 'log_id'],
    ['a batch without a number', { batch: 0 }, 'counted from 1'],
    ['a record that is no JSON', { records: [{ sequence: 1, content: Buffer.from('{') }] }, 'no JSON object'],
    ['a record that is null', { records: [{ sequence: 1, content: Buffer.from('null') }] }, 'no JSON object'],
    ['a record of another sequence', { records: [{ ...record(1), sequence: 2 }] }, 'another sequence'],
    ['a record without a time', { records: [record(1, { ts: 'now' })] }, 'no time'],
    ['a record without a decision', { records: [record(1, { decision: 'maybe' })] }, 'no decision'],
    ['a record that is too long', { records: [record(1, { x: 'x'.repeat(RECORD_MAX_BYTES) })] }, 'is longer than'],
    ['a counter of nothing', { counters: [counter({ count: 0 })] }, 'no count'],
    ['a counter that ends before it began', { counters: [counter({ lastMs: 1 })] }, 'no span'],
    ['a count that cannot be told again', { counters: [counter({ count: 2 ** 60 })] }, 'too large'],
    ['a revision that cannot be told again', { counters: [counter({ policyRevision: 2 ** 60 })] }, 'too large'],
    ['a sequence that cannot be told again', { records: [record(2 ** 60)] }, 'another sequence'],
    ['a batch that cannot be counted on', { batch: 2 ** 60 }, 'counted from 1'],
    ['too many records', { records: Array.from({ length: 2001 }, (_, index) => record(index + 1)) }, 'more than 2000'],
  ])('refuses %s, and stores nothing of the batch', async ([, fields, words]) => {
    const whole = batch(1, { records: [record(7)], ...fields })
    await expect(report(whole)).rejects.toThrowCode('REQUEST_INVALID', words)
    expect(await list()).toEqual([])
  })

  test('are counted no later than they came', async () => {
    const { clock } = server.deps
    const nowMs = clock.now().getTime()
    await report(batch(1, { counters: [counter({ firstMs: 8e15, lastMs: 9e15 })], droppedRecords: 2 ** 60 }))
    const pages = await Array.fromAsync(server.decisions.listCounters({ filter: null }, server.local()))
    const wanted = { day: Math.floor(nowMs / 86_400_000), counter: counter({ firstMs: nowMs, lastMs: nowMs }) }
    expect(pages.flatMap(({ counters = [] }) => counters)).toEqual([{ agent, ...wanted }])
  })

  test('are told as they come to those who follow', async () => {
    await report(batch(1, { records: [record(1), record(2)] }))
    const stored = server.decisions.tail({ filter: filter({ code: 'NO_CONDUIT' }), limit: 1 }, server.local())
    const tail = stored[Symbol.asyncIterator]()
    const next = async () => ((await tail.next()).value as { id?: string } | undefined)?.id
    expect(await next()).toBe('d2')
    const following = next()
    await settled()
    await report(batch(2, { records: [record(3, { code: 'NO_RULE' }), record(4), record(5)] }))
    expect([await following, await next()]).toEqual(['d4', 'd5'])
    await tail.return?.(undefined)
  })
})
