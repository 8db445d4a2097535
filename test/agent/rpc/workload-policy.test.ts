import { describe, expect, test } from 'vitest'
import { workloadPolicyApi } from '../../../agent/rpc/workload-policy.ts'
import { DecisionLog } from '../../../agent/policy/decision-log.ts'
import { DecisionSpool } from '../../../agent/policy/decision-spool.ts'
import { silentLog } from '../../../src/log/log.ts'
import type { Handlers } from '../../../src/wire/implementation.ts'
import type {
  DecisionReport,
  WatchPolicyRequest,
  workloadPolicyService,
} from '../../../src/wire/messages/sallyport-policy-v1.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { changes } from '../../fakes/changes.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { MemoryDisk } from '../../fakes/memory-disk.ts'
import { anEntry } from '../../fakes/store-objects.ts'
import { until } from '../../fakes/until.ts'
import { AgentWorld } from '../agent-world.ts'
import { aRecord } from '../policy/decision-reports.ts'
import { PolicySigner } from '../policy/policy-signer.ts'
import { Reading, workloadCall, type CallOptions } from './workload-client.ts'

const entryOf = (id: string, path: string, uid: number) =>
  anEntry(id, {
    spiffeId: SpiffeId.parse(`spiffe://example.org${path}`),
    selectors: [parseSelector(`unix:uid:${uid}`)],
  })

const NOTHING_HELD: WatchPolicyRequest = { held: [], policyEpoch: 0, fastLaneSequence: 0 }

/** An agent with /web for uid 1000 and /db for uid 2000, and a slice for each. */
async function house() {
  const world = await AgentWorld.create()
  world.hold([entryOf('web', '/web', 1000), entryOf('db', '/db', 2000)])
  const { clock, upstream, policy } = world
  const disk = new MemoryDisk()
  const decisions = new DecisionLog({
    ...{ upstream, clock, log: silentLog, random: (bytes) => Buffer.alloc(bytes, 1), spoolMaxBytes: 1_000_000 },
    spool: new DecisionSpool(disk, '/data'),
    agentId: () => 'spiffe://example.org/agent',
  })
  await decisions.restore()
  const signer = new PolicySigner()
  await policy.apply(signer.snapshot(1, [signer.slice('/web', 1), signer.slice('/db', 1)]))
  const { entitlements, callers } = world
  const handlers = workloadPolicyApi({ entitlements, policy, decisions, callers }).handlers as unknown as Required<
    Handlers<typeof workloadPolicyService>
  >
  const watch = async (request = NOTHING_HELD, options: CallOptions = {}, isHeld = false) => {
    const stream = new Reading(handlers.watchPolicy(request, workloadCall(options)))
    await until(() => stream.messages.length > 0 || stream.error !== undefined || isHeld, 'a first message')
    return stream
  }
  return { world, policy, signer, handlers, watch, disk, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() }
}

const idsIn = (slices: readonly { readonly content?: Uint8Array }[] = []) =>
  slices.map(({ content }) => (JSON.parse(Buffer.from(content ?? []).toString()) as { spiffeId: string }).spiffeId)

describe('WatchPolicy', () => {
  test('gives a workload the slices of its own identities and no others, as the server signed them', async () => {
    await using one = await house()
    const web = await one.watch()
    const db = await one.watch(NOTHING_HELD, { uid: 2000 })
    expect(idsIn(web.last.slices as never)).toEqual(['spiffe://example.org/web'])
    expect(idsIn(db.last.slices as never)).toEqual(['spiffe://example.org/db'])
    expect(web.last.status).toMatchObject({ hasPolicy: true, policyEpoch: 1, policyRevision: 1 })
    expect(web.last.keys).not.toBeNull()
  })

  test('tells what changed, and nothing else', async () => {
    await using one = await house()
    const [web, db] = [await one.watch(), await one.watch(NOTHING_HELD, { uid: 2000 })]
    const [web2, dbSlice] = [one.signer.slice('/web', 2), one.signer.slice('/db', 1)]
    await one.policy.apply(one.signer.delta(2, [web2], [web2, dbSlice]))
    await one.policy.apply(one.signer.fastLane(one.signer.entry()))
    await until(() => [web, db].every(({ last }) => last.status?.fastLaneSequence === 1), 'the newest state')
    expect(idsIn(web.messages.slice(1).flatMap(({ slices }) => slices ?? []) as never)).toEqual([
      'spiffe://example.org/web',
    ])
    expect(db.messages.slice(1).flatMap(({ slices }) => slices ?? [])).toEqual([])
    expect(db.messages.slice(1).flatMap(({ fastLane }) => fastLane ?? [])).toHaveLength(1)
    expect(db.messages.slice(1).every(({ keys }) => keys === null)).toBe(true)
  })

  test('what the workload holds already is not sent again; what it may hold no longer is named', async () => {
    await using one = await house()
    const digest = one.policy.state.slices.get('spiffe://example.org/web')!.digest
    const held = [
      { spiffeId: 'spiffe://example.org/web', digest },
      { spiffeId: 'spiffe://example.org/db', digest },
    ]
    const web = await one.watch({ held, policyEpoch: 1, fastLaneSequence: 0 })
    expect(web.last.slices).toEqual([])
    expect(web.last.removedIdentities).toEqual(['spiffe://example.org/db'])
  })

  test('a process whose entry is taken away loses its slice', async () => {
    await using one = await house()
    const web = await one.watch()
    one.world.entitlements.apply(changes({ entries: [entryOf('web2', '/web2', 1000)], removedEntryIds: ['web'] }))
    await until(() => web.messages.length > 1, 'a change')
    expect(web.last.removedIdentities).toEqual(['spiffe://example.org/web'])
  })

  test('a process that nobody registered is held, then refused', async () => {
    await using one = await house()
    const stranger = await one.watch(NOTHING_HELD, { uid: 4711 }, true)
    expect(stranger.messages).toEqual([])
    await settled()
    await one.world.clock.advance(5001)
    await until(() => stranger.error !== undefined, 'the refusal')
    expect(stranger.error).toThrowCode('NO_IDENTITY', 'no registration entry matches')
  })

  test('wants the header of the Workload API', async () => {
    await using one = await house()
    const web = await one.watch(NOTHING_HELD, { header: undefined })
    expect(web.error).toThrowCode('HEADER_MISSING', 'workload.spiffe.io')
  })
})

describe('ReportDecisions', () => {
  const reports = async function* (...batches: Partial<DecisionReport>[]) {
    for (const [index, batch] of batches.entries())
      yield {
        batch: index + 1,
        reporter: Buffer.alloc(0),
        records: [],
        counters: [],
        droppedRecords: 0,
        droppedCounters: 0,
        ...batch,
      }
  }

  test('gives a receipt once a report is on disk', async () => {
    await using one = await house()
    const record = aRecord({ dst: { id: 'spiffe://example.org/web' } })
    const receipts = new Reading(one.handlers.reportDecisions(reports({ records: [record] }, {}), workloadCall()))
    await until(() => receipts.ended, 'the receipts')
    expect(receipts.messages).toEqual([{ batch: 1 }, { batch: 2 }])
    expect([...one.disk.files.keys()].filter((path) => path.includes('/decisions/'))).toHaveLength(2)
  })

  test('a workload speaks for its own identities alone', async () => {
    await using one = await house()
    const record = aRecord({ dst: { id: 'spiffe://example.org/db' } })
    const receipts = new Reading(one.handlers.reportDecisions(reports({ records: [record] }), workloadCall()))
    await until(() => receipts.error !== undefined, 'the refusal')
    expect(receipts.error).toThrowCode('REQUEST_INVALID', 'speaks for somebody else')
  })
})
