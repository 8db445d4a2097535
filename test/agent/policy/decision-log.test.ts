import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { COUNTERS_MAX, RECORD_MAX_BYTES, RECORDS_MAX, type Reporter } from '../../../agent/policy/decision-batch.ts'
import { DecisionLog } from '../../../agent/policy/decision-log.ts'
import { DecisionSpool } from '../../../agent/policy/decision-spool.ts'
import type { Store } from '../../../server/store/store.ts'
import { reportDecisions } from '../../../server/sync/report-decisions.ts'
import { SallyportError } from '../../../src/errors.ts'
import { silentLog } from '../../../src/log/log.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import { MESSAGE_MAX_BYTES } from '../../../src/wire/frames.ts'
import { decisionBatchType, type DecisionBatch } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { MemoryDisk } from '../../fakes/memory-disk.ts'
import { roomy } from '../../fakes/policy-objects.ts'
import { until } from '../../fakes/until.ts'
import { aCounter, aRecord, aReport } from './decision-reports.ts'

const reporter: Reporter = { uid: 1000, pid: 7, identities: new Set(['spiffe://example.org/web']) }
const other: Reporter = { uid: 1000, pid: 8, identities: new Set(['spiffe://example.org/db']) }
const aRecordOf = (id: string) => aRecord({ dst: { id } })
const { signal } = new AbortController()

class World implements Disposable {
  readonly clock = new FakeClock()
  readonly disk = new MemoryDisk()
  readonly sent: DecisionBatch[] = []
  failure: Error | undefined
  isJoined = true
  #stop = new AbortController()
  #logs = 0

  async start(spoolMaxBytes = 1_000_000): Promise<DecisionLog> {
    this.#stop.abort(new Error('restarted'))
    this.#stop = new AbortController()
    this.#logs++
    const log = new DecisionLog({
      ...{ clock: this.clock, log: silentLog, spoolMaxBytes, spool: new DecisionSpool(this.disk, '/data') },
      random: (bytes) => Buffer.alloc(bytes, this.#logs),
      agentId: () => (this.isJoined ? 'spiffe://example.org/agent' : undefined),
      upstream: {
        reportDecisions: async (batch) => {
          if (this.failure !== undefined) throw this.failure
          this.sent.push(batch)
        },
      },
    })
    await log.restore()
    // Ends with the world.
    log.run(this.#stop.signal).catch(() => undefined)
    return log
  }

  get files(): string[] {
    return [...this.disk.files.keys()]
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new Error('the world ends'))
  }
}

const contentsOf = (batches: readonly DecisionBatch[]) =>
  batches.flatMap(({ records }) =>
    records.map(({ content }) => JSON.parse(content.toString()) as { seq: number; prev: string; pep: object }),
  )

/** Throws what the server would answer. */
async function takenByServer(batch: DecisionBatch): Promise<void> {
  const store = { commit: async () => ({ ok: true, revision: 1 }) } as unknown as Store
  await reportDecisions(batch, 'spiffe://example.org/agent', { store, clock: new FakeClock(), decisionRoom: roomy })
}

describe('DecisionLog', () => {
  test('chains records, says who vouches for them, and sends them', async () => {
    using world = new World()
    const log = await world.start()
    await log.take(
      aReport({ records: [aRecord(), aRecord()], counters: [aCounter()], droppedCounters: 2 }),
      reporter,
      signal,
    )
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    await until(() => log.spooled === 0, 'everything to be sent')
    const records = world.sent.flatMap((batch) => batch.records)
    expect(contentsOf(world.sent).map(({ seq }) => seq)).toEqual([1, 2, 3])
    for (const [index, { prev }] of contentsOf(world.sent).entries()) {
      const before = records[index - 1]?.content
      expect(prev).toBe(before === undefined ? '' : createHash('sha256').update(before).digest('hex'))
    }
    expect(contentsOf(world.sent)[0]?.pep).toMatchObject({ agent: 'spiffe://example.org/agent', uid: 1000, pid: 7 })
    expect(world.sent[0]).toMatchObject({ batch: 1, droppedCounters: 2, counters: [{ count: 3 }] })
    expect(log.spooled).toBe(0)
  })

  test('nothing that has a receipt is lost: the server away, then a restart, then the server back', async () => {
    using world = new World()
    world.failure = new Error('away')
    const log = await world.start()
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    await settled()
    expect(world.sent).toEqual([])
    const after = await world.start()
    expect(after.spooled).toBe(2)
    world.failure = undefined
    await after.take(aReport({ records: [aRecord()] }), reporter, signal)
    await world.clock.advance(5000)
    await until(() => after.spooled === 0, 'everything to be sent')
    expect(world.sent.map(({ logId, batch }) => `${logId.slice(0, 2)}/${batch}`)).toEqual(['01/1', '01/2', '02/1'])
    expect(contentsOf(world.sent).map(({ seq }) => seq)).toEqual([1, 2, 3])
    // The newest file stays: it says where the chain stands.
    expect(world.files).toHaveLength(1)
  })

  test('a report whose receipt was lost is acknowledged again, and taken once; names of one user are not those of another', async () => {
    using world = new World()
    const log = await world.start()
    const numbered = (batch: number) => aReport({ batch, reporter: Buffer.alloc(16, 7), counters: [aCounter()] })
    await log.take(numbered(1), reporter, signal)
    await log.take(numbered(1), reporter, signal)
    await log.take(numbered(2), reporter, signal)
    await log.take(numbered(1), { ...reporter, uid: 2000 }, signal)
    await until(() => log.spooled === 0, 'everything to be sent')
    expect(world.sent.flatMap(({ counters }) => counters)).toHaveLength(3)
  })

  test('a write that failed moves the chain no further, and gives no receipt', async () => {
    using world = new World()
    const log = await world.start()
    world.disk.failure = new Error('no space left on device')
    await expect(log.take(aReport({ records: [aRecord()] }), reporter, signal)).rejects.toThrow('no space left')
    world.disk.failure = undefined
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    await until(() => log.spooled === 0, 'everything to be sent')
    expect(contentsOf(world.sent)).toMatchObject([{ seq: 1, prev: '' }])
    expect(world.sent.map(({ batch }) => batch)).toEqual([1])
  })

  test('a machine that went back to an old disk reports all that it decides from there', async () => {
    using world = new World()
    const log = await world.start()
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    const old = new Map(world.disk.files)
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    await until(() => log.spooled === 0, 'everything to be sent')
    world.disk.files.clear()
    for (const [path, content] of old) world.disk.files.set(path, content)
    const after = await world.start()
    await after.take(aReport({ records: [aRecord()] }), reporter, signal)
    await until(() => after.spooled === 0, 'everything to be sent')
    // The server stores a batch of a log once: 01/2 would have been taken for the one that it has.
    expect(world.sent.map(({ logId, batch }) => `${logId.slice(0, 2)}/${batch}`)).toEqual([
      ...['01/1', '01/2', '01/1', '02/1'],
    ])
    // Where the chain forked can be seen.
    expect(contentsOf(world.sent).map(({ seq }) => seq)).toEqual([1, 2, 1, 2])
  })

  test('no batch is more than the server takes, however much comes at once', async () => {
    using world = new World()
    const log = await world.start(100_000_000)
    const records = (note: string) => Array.from({ length: RECORDS_MAX }, () => aRecord({ note }))
    await Promise.all([
      log.take(aReport({ records: records('x'.repeat(4000)), droppedRecords: 1 }), reporter, signal),
      ...[1, 2, 3].map(() => log.take(aReport({ records: records('') }), reporter, signal)),
      log.take(aReport({ counters: Array.from({ length: COUNTERS_MAX }, () => aCounter()) }), reporter, signal),
    ])
    await until(() => log.spooled === 0, 'everything to be sent')
    for (const batch of world.sent) {
      await takenByServer(batch)
      expect(encodeMessage(decisionBatchType, batch).length).toBeLessThan(MESSAGE_MAX_BYTES)
    }
    expect(contentsOf(world.sent).map(({ seq }) => seq)).toEqual(Array.from({ length: 4000 }, (_, index) => index + 1))
    expect(world.sent.reduce((sum, { counters }) => sum + counters.length, 0)).toBe(COUNTERS_MAX)
    expect(world.sent.reduce((sum, { droppedRecords }) => sum + droppedRecords, 0)).toBe(1)
  })

  test('the server takes the longest record, with what the agent adds', async () => {
    using world = new World()
    const log = await world.start()
    const room = RECORD_MAX_BYTES - aRecord({ note: '' }).length
    await log.take(aReport({ records: [aRecord({ note: 'x'.repeat(room) })] }), reporter, signal)
    await until(() => log.spooled === 0, 'everything to be sent')
    for (const batch of world.sent) await takenByServer(batch)
  })

  test('a batch that the server refuses does not hold up those after it', async () => {
    using world = new World()
    world.failure = new SallyportError('REQUEST_INVALID', 'Cannot take decisions')
    const log = await world.start()
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    await until(() => log.spooled === 0, 'the refused batch to be given up')
    world.failure = undefined
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    await until(() => log.spooled === 0, 'the next to be sent')
    expect(contentsOf(world.sent).map(({ seq }) => seq)).toEqual([2])
  })

  test('nobody hides what others have dropped', async () => {
    using world = new World()
    const log = await world.start()
    await Promise.all([
      log.take(aReport({ droppedRecords: 7 }), reporter, signal),
      log.take(aReport({ droppedRecords: -7 }), { ...reporter, uid: 2 }, signal),
    ])
    await until(() => log.spooled === 0, 'everything to be sent')
    expect(world.sent.reduce((sum, { droppedRecords }) => sum + droppedRecords, 0)).toBe(7)
  })

  test('the newest file, which stays, takes no room', async () => {
    using world = new World()
    const log = await world.start(1500)
    const big = () => aReport({ records: [aRecord({ note: 'x'.repeat(1200) })] })
    await log.take(big(), reporter, signal)
    await until(() => log.spooled === 0, 'everything to be sent')
    await log.take(big(), reporter, signal)
    await until(() => log.spooled === 0, 'the next to be sent')
    expect(world.sent).toHaveLength(2)
  })

  test('a damaged newest file begins another chain, which counts from one', async () => {
    using world = new World()
    const log = await world.start()
    await log.take(aReport({ records: [aRecord()] }), reporter, signal)
    await until(() => log.spooled === 0, 'everything to be sent')
    const [file] = world.disk.files.values()
    file![40] = file![40]! ^ 1
    const after = await world.start()
    await after.take(aReport({ records: [aRecord()] }), reporter, signal)
    await until(() => after.spooled === 0, 'everything to be sent')
    expect(world.sent.map(({ logId, batch }) => `${logId.slice(0, 2)}/${batch}`)).toEqual(['01/1', '02/1'])
  })

  test('a full spool makes workloads wait until the server has stored something', async () => {
    using world = new World()
    world.failure = new Error('away')
    const log = await world.start(2000)
    const big = () => aReport({ records: [aRecord({ note: 'x'.repeat(900) })] })
    await log.take(big(), reporter, signal)
    let hasRoom = false
    const waiting = log.take(big(), reporter, signal).then(() => (hasRoom = true))
    await settled()
    expect(hasRoom).toBe(false)
    // The share of one workload is full, not that of the others.
    await log.take(aReport({ records: [aRecordOf('spiffe://example.org/db')] }), other, signal)
    world.failure = undefined
    await world.clock.advance(5000)
    await waiting
    expect(hasRoom).toBe(true)
  })

  test('a workload that floods waits, as whichever user, and with reports that say nothing too', async () => {
    using world = new World()
    world.failure = new Error('away')
    const log = await world.start(100_000)
    const stop = new AbortController()
    const taken = { flood: 0 }
    const flood = Array.from({ length: 400 }, async (_, uid) => {
      const report = uid % 2 === 0 ? aReport({ droppedRecords: 1 }) : aReport({ counters: [aCounter()] })
      await log.take(report, { ...reporter, uid, pid: uid }, stop.signal)
      taken.flood++
    })
    await until(() => taken.flood > 50, 'some of the flood')
    await until(() => world.files.length > 0, 'a file')
    const records = Array.from({ length: 20 }, () => aRecordOf('spiffe://example.org/db'))
    for (const record of records) await log.take(aReport({ records: [record], counters: [] }), other, signal)
    expect(taken.flood).toBeLessThan(110)
    stop.abort(new Error('enough'))
    await Promise.allSettled(flood)
    world.failure = undefined
    await world.clock.advance(5000)
    await until(() => log.spooled === 0, 'everything to be sent')
    expect(contentsOf(world.sent)).toHaveLength(records.length)
    const counts = world.sent.flatMap(({ counters }) => counters.map(({ count }) => count))
    const dropped = world.sent.reduce((sum, { droppedRecords }) => sum + droppedRecords, 0)
    expect(counts.length + dropped).toBe(taken.flood)
  })

  test('whoever waits for room can be ended', async () => {
    using world = new World()
    world.failure = new Error('away')
    const log = await world.start(500)
    await log.take(aReport({ records: [aRecord({ note: 'x'.repeat(900) })] }), reporter, signal)
    const stop = new AbortController()
    const waiting = log.take(aReport(), reporter, stop.signal)
    stop.abort(new Error('the stream has ended'))
    await expect(waiting).rejects.toThrow('the stream has ended')
  })

  test.for([
    ['more than 1000 records', { records: Array.from({ length: RECORDS_MAX + 1 }, () => Buffer.alloc(0)) }],
    ['more than 10000 counters', { counters: Array.from({ length: COUNTERS_MAX + 1 }, () => aCounter()) }],
    [
      `a record has more than ${RECORD_MAX_BYTES} bytes`,
      { records: [aRecord({ note: 'x'.repeat(RECORD_MAX_BYTES) })] },
    ],
    ['a record cannot be read', { records: [Buffer.from('{')] }],
    ['a record cannot be read', { records: [aRecord({ id: '../../x' })] }],
    ['a record cannot be read', { records: [aRecord({ note: JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) })] }],
    ['a record cannot be read', { records: [Buffer.from(`${aRecord().toString().slice(0, -1)},"x":1e999}`)] }],
    [
      `a record has more than ${RECORD_MAX_BYTES} bytes`,
      { records: [Buffer.from(`${aRecord().toString().slice(0, -1)},"x":[${Array(2000).fill('1e20').join()}]}`)] },
    ],
    ['a counter cannot be read', { counters: [aCounter({ count: 0 })] }],
    ['a counter cannot be read', { counters: [aCounter({ firstMs: 3, lastMs: 2 })] }],
    ...(['count', 'lastMs', 'policyRevision'] as const).map(
      (field) => ['a counter cannot be read', { counters: [aCounter({ [field]: 2 ** 60 })] }] as const,
    ),
    ['a counter cannot be read', { counters: [aCounter({ decision: 'maybe' })] }],
    ['a counter cannot be read', { counters: [aCounter({ route: 'x'.repeat(2049) })] }],
    ['a record speaks for somebody else', { records: [aRecord({ dst: { id: 'spiffe://example.org/db' } })] }],
    ['a record speaks for somebody else', { records: [aRecord({ pep: { side: 'client' } })] }],
    ['a counter speaks for somebody else', { counters: [aCounter({ side: 'client' })] }],
  ] as const)('refuses a report: %s', async ([why, fields]) => {
    using world = new World()
    const log = await world.start()
    await expect(log.take(aReport(fields), reporter, signal)).rejects.toThrowCode('REQUEST_INVALID', why)
    expect(world.files).toEqual([])
  })

  test('takes what others report, whatever number one says of what it dropped', async () => {
    using world = new World()
    const log = await world.start()
    const dropped = { droppedRecords: 2 ** 60, droppedCounters: Number.MAX_SAFE_INTEGER }
    await Promise.all([log.take(aReport(dropped), reporter, signal), log.take(aReport(dropped), reporter, signal)])
    await until(() => log.spooled === 0, 'everything to be sent')
    expect(world.sent.map(({ droppedRecords }) => droppedRecords)).toContain(Number.MAX_SAFE_INTEGER)
  })

  test('takes nothing before the agent has joined', async () => {
    using world = new World()
    const log = await world.start()
    world.isJoined = false
    await expect(log.take(aReport(), reporter, signal)).rejects.toThrowCode('NOT_READY', 'has not joined')
  })
})
