import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Mutation } from '../../../server/store/store.ts'
import { RESUME_MAX_REVISIONS } from '../../../server/sync/follow.ts'
import { CHUNK_MAX_BYTES } from '../../../server/sync/messages.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { SallyportError } from '../../../src/errors.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { codecOf } from '../../../src/wire/codec.ts'
import { decodeMessage } from '../../../src/wire/decode-message.ts'
import { heartbeatContentType, syncService } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { tlsConnection } from '../../fakes/fake-call.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { aBundle, anAgent, anEntry, anId, anInstant } from '../../fakes/store-objects.ts'
import { SyncServer, type FakeAgent } from './sync-server.ts'

const own = (sequence: number): Mutation => ({ kind: 'bundle.put', bundle: aBundle('example.org', sequence) })
const joining = (path: string): Mutation => ({ kind: 'agent.put', agent: anAgent(path) })
const creating = (id: string, path: string, fields: Partial<RegistrationEntry> = {}): Mutation => ({
  kind: 'entry.create',
  entry: anEntry(id, { parentId: anId(`/spire/agent/${path}`), ...fields }),
})
const updating = (id: string, path: string, revisionNumber: number): Mutation => ({
  kind: 'entry.update',
  entry: anEntry(id, { parentId: anId(`/spire/agent/${path}`), revisionNumber, hint: `v${revisionNumber}` }),
})
const deleting = (id: string): Mutation => ({ kind: 'entry.delete', id })

const codeOf = ({ ended }: FakeAgent): string | undefined => (ended instanceof SallyportError ? ended.code : undefined)
const reasonOf = ({ ended }: FakeAgent): number | undefined =>
  ended instanceof SallyportError ? ended.detail?.value.at(1) : undefined

describe('a stream', () => {
  test('begins with everything the agent may hold, and nothing else', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), creating('1', 'a'), creating('2', 'b'))
    const agent = await server.follow('a')
    expect(agent.ids).toEqual(['1'])
    expect([...agent.bundles.keys()]).toEqual(['example.org'])
    expect(agent.kinds).toEqual(['snapshot', 'heartbeat'])
  })

  test('rank 5: a new entry is there at once, for exactly the agents concerned', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), joining('b'))
    const a = await server.follow('a')
    const b = await server.follow('b')
    const revision = await server.change(creating('1', 'a'))
    expect(a.ids).toEqual(['1'])
    expect(a.messages.at(-1)?.delta).toMatchObject({ to: revision, entries: [{ id: '1' }] })
    expect(b.kinds).toEqual(['snapshot', 'heartbeat'])
    await server.change(updating('1', 'a', 1))
    expect(a.entries.get('1')?.hint).toBe('v1')
    await server.change(deleting('1'))
    expect(a.messages.at(-1)?.delta).toMatchObject({ removedEntryIds: ['1'], entries: [] })
  })

  test('an entry that moves to another agent leaves the first', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), joining('b'), creating('1', 'a'))
    const [a, b] = [await server.follow('a'), await server.follow('b')]
    await server.change({
      kind: 'entry.update',
      entry: anEntry('1', { parentId: anId('/spire/agent/b'), revisionNumber: 1 }),
    })
    expect([a.ids, b.ids]).toEqual([[], ['1']])
  })

  test('a new alias brings everything below it', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), {
      kind: 'entry.create',
      entry: anEntry('w', { parentId: anId('/node/1') }),
    })
    const agent = await server.follow('a')
    expect(agent.ids).toEqual([])
    const selectors = [parseSelector('join_token:abc')]
    const alias = anEntry('alias', { parentId: anId('/spire/server'), spiffeId: anId('/node/1'), selectors })
    await server.change({ kind: 'entry.create', entry: alias })
    expect(agent.ids).toEqual(['w'])
    await server.change(deleting('alias'))
    expect(agent.ids).toEqual([])
  })

  test('foreign bundles come with the entries that need them and go with the last', async () => {
    const federatesWith = [TrustDomain.parse('other.org')]
    await using server = await SyncServer.open(own(1), joining('a'), {
      kind: 'bundle.put',
      bundle: aBundle('other.org', 1),
    })
    const agent = await server.follow('a')
    await server.change(creating('1', 'a', { federatesWith }))
    expect([...agent.bundles.keys()]).toEqual(['example.org', 'other.org'])
    await server.change({ kind: 'bundle.put', bundle: aBundle('other.org', 2) })
    expect(agent.bundles.get('other.org')?.sequenceNumber).toBe(2)
    await server.change(deleting('1'))
    expect([...agent.bundles.keys()]).toEqual(['example.org'])
  })

  test('the first message must be a hello, and it must come in time', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const twice = await server.follow('a')
    twice.send({ hello: twice.hello() })
    await settled()
    expect(codeOf(twice)).toBe('REQUEST_INVALID')
  })

  test('rank 20: a large view comes in chunks of at most 1 MiB', async () => {
    const selectors = Array.from({ length: 40 }, (_, index) => parseSelector(`unix:path:/${'x'.repeat(900)}${index}`))
    const entries = Array.from({ length: 100 }, (_, index) =>
      creating(`e${index}`, 'a', { selectors, spiffeId: anId(`/${index}`) }),
    )
    await using server = await SyncServer.open(own(1), joining('a'), ...entries)
    const agent = await server.follow('a')
    expect(agent.entries.size).toBe(100)
    const chunks = agent.messages.filter(({ snapshot }) => snapshot)
    expect(chunks.length).toBeGreaterThan(3)
    const codec = codecOf(syncService, 'Follow')
    for (const chunk of chunks) expect(codec.encodeResponse(chunk).length).toBeLessThanOrEqual(CHUNK_MAX_BYTES + 100)
    expect(chunks.map(({ snapshot }) => snapshot?.last)).toEqual([...chunks.slice(1).map(() => false), true])
  })
})

describe('heartbeats', () => {
  test('SE-22 come every 5 s with the head of the journal, signed once for all, the key with the first only', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), joining('b'))
    const [a, b] = [await server.follow('a'), await server.follow('b')]
    const first = a.messages.at(-1)?.heartbeat
    expect(first?.publicKey.toString()).toBe('public key')
    await server.store.commit({ mutations: [], audit: [{ type: 'entry.created', at: anInstant(0), facts: {} }] })
    await server.clock.advance(5000)
    const [beatA, beatB] = [a.messages.at(-1)?.heartbeat, b.messages.at(-1)?.heartbeat]
    expect(beatA?.publicKey.length).toBe(0)
    expect(beatA?.content).toEqual(beatB?.content)
    const content = decodeMessage(heartbeatContentType, beatA?.content ?? Buffer.alloc(0))
    expect(content).toMatchObject({
      epoch: 'memory',
      revision: 1,
      serverTimeMs: server.clock.now().getTime(),
      checkpoint: { sequence: 1, hash: server.store.auditHead().hash },
    })
    await server.clock.advance(20_000)
    expect(a.kinds.filter((kind) => kind === 'heartbeat')).toHaveLength(6)
  })

  test('advance agents that nothing concerned, and never one that has not been told everything', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), joining('b'))
    const a = await server.follow('a')
    const revision = await server.change(creating('1', 'b'))
    expect(server.followers.acknowledgedRevision(anId('/spire/agent/a').toString())).toBe(revision)
    await server.clock.advance(5000)
    const content = decodeMessage(heartbeatContentType, a.messages.at(-1)?.heartbeat?.content ?? Buffer.alloc(0))
    expect(content.revision).toBe(revision)
  })

  test('an idle agent costs no question to the database', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    await server.follow('a')
    let asked = 0
    server.store.changesSince = () => Promise.resolve(void asked++ as undefined)
    server.store.snapshot = () => Promise.reject(new Error(`asked ${asked++}`))
    await server.clock.advance(60_000)
    expect(asked).toBe(0)
  })
})

describe('the loop that hands on changes', () => {
  test('tells what was changed while it did not run', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a')
    await server.stopFollowers()
    const revision = await server.change(creating('1', 'a'))
    expect(agent.ids).toEqual([])
    server.startFollowers()
    await settled()
    expect(agent.ids).toEqual(['1'])
    expect([server.followers.revision, server.followers.missing(revision)]).toEqual([revision, []])
  })
})

describe('a slow agent', () => {
  test('rank 4: gets fewer, merged deltas instead of a queue', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a')
    agent.reads = false
    await server.change(creating('0', 'a'))
    for (let index = 1; index <= 200; index++)
      await server.store.commit({ mutations: [creating(`${index}`, 'a')], audit: [] })
    for (let index = 1; index <= 100; index++)
      await server.store.commit({ mutations: [deleting(`${index}`)], audit: [] })
    await settled()
    const before = agent.messages.length
    agent.resume()
    await settled()
    expect(agent.entries.size).toBe(101)
    expect(agent.messages.length - before).toBeLessThanOrEqual(2)
  })

  test('that acknowledges late is told everything all the same, and counts as applied when it says so', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a')
    agent.acknowledges = false
    for (let index = 0; index < 200; index++) await server.change(creating(`${index}`, 'a'))
    expect(agent.entries.size).toBe(200)
    const { revision } = server.directory
    expect(server.followers.missing(revision)).toHaveLength(1)
    agent.acknowledge(revision - 150)
    await settled()
    expect(server.followers.missing(revision - 150)).toHaveLength(0)
    expect(server.followers.missing(revision - 149)).toHaveLength(1)
    agent.acknowledge()
    await settled()
    expect(server.followers.missing(revision)).toHaveLength(0)
  })

  test('cannot acknowledge what it was never sent', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a')
    agent.acknowledges = false
    await server.change(creating('1', 'a'))
    agent.acknowledge(999_999)
    await settled()
    const { revision } = server.directory
    expect(server.followers.acknowledgedRevision(anId('/spire/agent/a').toString())).toBeLessThanOrEqual(revision)
    agent.stop.abort()
    await settled()
    expect(server.followers.missing(revision + 1)).toHaveLength(1)
  })
})

describe('coming back', () => {
  test('an agent that missed nothing is told nothing', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), creating('1', 'a'))
    const before = await server.follow('a')
    before.stop.abort()
    const agent = await server.follow('a', { held: before })
    expect(agent.kinds).toEqual(['delta', 'heartbeat'])
    expect(agent.messages[0]?.delta).toMatchObject({ entries: [], bundles: [], removedEntryIds: [] })
  })

  test('SE-12 an agent is told what it missed, and no id that it never held', async () => {
    await using server = await SyncServer.open(
      own(1),
      joining('a'),
      joining('b'),
      creating('keep', 'a'),
      creating('go', 'a'),
    )
    const before = await server.follow('a')
    before.stop.abort()
    await server.change(deleting('go'))
    await server.change(creating('new', 'a'))
    await server.change(creating('other', 'b'))
    await server.change(deleting('other'))
    await server.change(own(2))
    const agent = await server.follow('a', { held: before })
    expect(agent.kinds).toEqual(['delta', 'heartbeat'])
    expect(agent.messages[0]?.delta).toMatchObject({ entries: [{ id: 'new' }], removedEntryIds: ['go'], bundles: [{}] })
    expect(agent.ids).toEqual(['keep', 'new'])
    expect(agent.bundles.get('example.org')?.sequenceNumber).toBe(2)
  })

  test.for([
    ['another epoch', { epoch: 'another' }],
    ['a revision from the future', { revision: 999 }],
    ['a digest of something else', { digest: Buffer.alloc(16, 7) }],
  ] as const)('an agent with %s is told everything', async ([, hello]) => {
    await using server = await SyncServer.open(own(1), joining('a'), creating('1', 'a'))
    const before = await server.follow('a')
    before.stop.abort()
    await server.change(creating('2', 'a'))
    const agent = await server.follow('a', { held: before, hello })
    expect(agent.kinds[0]).toBe('snapshot')
    expect(agent.ids).toEqual(['1', '2'])
  })

  test('a pruned log leads to a snapshot', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), creating('1', 'a'))
    const before = await server.follow('a')
    before.stop.abort()
    await server.change(creating('2', 'a'))
    server.directory.recentAfter = () => undefined
    server.store.changesSince = () => Promise.resolve(undefined)
    const agent = await server.follow('a', { held: before })
    expect(agent.kinds[0]).toBe('snapshot')
  })

  test('SE-16 an agent that missed very much gets a snapshot, and nobody reads so much of the log for it', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), creating('1', 'a'))
    const before = await server.follow('a')
    before.stop.abort()
    await server.change(creating('2', 'a'))
    let asked = 0
    server.directory.recentAfter = () => undefined
    server.store.changesSince = () => Promise.resolve(void asked++ as undefined)
    Object.defineProperty(server.directory, 'revision', { value: before.revision + RESUME_MAX_REVISIONS + 1 })
    const agent = await server.follow('a', { held: before })
    expect([agent.kinds[0], agent.ids, asked]).toEqual(['snapshot', ['1', '2'], 0])
  })

  test('an agent that holds something else after a delta is sent everything, but not over and over', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a')
    agent.acknowledges = false
    const revision = await server.change(creating('1', 'a'))
    agent.acknowledge(revision, Buffer.alloc(16, 1))
    await server.clock.advance(5000)
    expect(agent.kinds.filter((kind) => kind === 'snapshot')).toHaveLength(2)
    agent.acknowledge(revision, Buffer.alloc(16, 1))
    await settled()
    expect(agent.kinds.filter((kind) => kind === 'snapshot')).toHaveLength(2)
  })

  test('whatever happens while it is away or slow, it ends up with what it may hold', async () => {
    const ids = ['1', '2', '3', '4'] as const
    const step = fc.oneof(
      fc.record({ do: fc.constant('toggle' as const), id: fc.constantFrom(...ids), path: fc.constantFrom('a', 'b') }),
      fc.record({
        do: fc.constantFrom(
          'leave' as const,
          'return' as const,
          'stall' as const,
          'resume' as const,
          'bundle' as const,
        ),
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        await using server = await SyncServer.open(own(1), joining('a'), joining('b'))
        let agent = await server.follow('a')
        let sequence = 1
        for (const one of steps) {
          if (one.do === 'toggle') {
            const exists = server.directory.entry(one.id) !== undefined
            await server.change(
              exists ? deleting(one.id) : creating(one.id, one.path, { createdAt: server.clock.now() }),
            )
            await server.clock.advance(1000)
          } else if (one.do === 'leave') agent.stop.abort()
          else if (one.do === 'return') agent = await server.follow('a', { held: agent })
          else if (one.do === 'stall') agent.reads = false
          else if (one.do === 'resume') agent.resume()
          else await server.change(own(++sequence))
        }
        agent.stop.abort()
        agent.resume()
        await settled()
        agent = await server.follow('a', { held: agent })
        expect(agent.ids).toEqual(
          server.directory
            .entitled(anId('/spire/agent/a'))
            .map(({ id }) => id)
            .toSorted(),
        )
        expect(agent.bundles.get('example.org')?.sequenceNumber).toBe(sequence)
        expect(server.followers.missing(server.directory.revision).map(String)).toEqual([
          'spiffe://example.org/spire/agent/b',
        ])
      }),
      { numRuns: 40 },
    )
  })
})

describe('who may go on', () => {
  test('SE-10 a stream ends within 1 s of the end of its SVID', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a', { expiresAt: anInstant(1000) })
    await server.clock.advance(999_000)
    expect(agent.ended).toBeUndefined()
    await server.clock.advance(1500)
    expect([codeOf(agent), reasonOf(agent)]).toEqual(['AGENT_REFUSED', 1])
  })

  test('SE-10 a timer that fires before the wall clock shows its time ends the stream all the same', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a', { expiresAt: anInstant(1000) })
    server.clock.jump(-200)
    await server.clock.advance(1_000_300)
    expect(reasonOf(agent)).toBe(1)
  })

  test('SE-10 a wall clock that jumps past the end of the SVID ends the stream with the next heartbeat', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a')
    server.clock.jump(2 * 3_600_000)
    await server.clock.advance(5000)
    expect(reasonOf(agent)).toBe(1)
  })

  test('SE-10 rank 37: a ban and an eviction end it at once, each with its reason', async () => {
    await using server = await SyncServer.open(own(1), joining('a'), joining('b'))
    await server.change(creating('1', 'a'))
    const [a, b] = [await server.follow('a'), await server.follow('b')]
    const record = server.directory.agent(anId('/spire/agent/a'))
    if (record === undefined) throw new Error('no agent')
    await server.change({ kind: 'agent.put', agent: { ...record, banned: true, serialNumber: '', revisionNumber: 1 } })
    expect([codeOf(a), reasonOf(a)]).toEqual(['AGENT_REFUSED', 4])
    // The end is all that it hears: what it holds is valid until it expires.
    expect(a.ids).toEqual(['1'])
    await server.change({ kind: 'agent.delete', spiffeId: anId('/spire/agent/b') }, creating('late', 'b'))
    expect([codeOf(b), reasonOf(b)]).toEqual(['AGENT_REFUSED', 2])
    expect(b.ids).toEqual([])
  })

  test('SE-10 an agent that lost its rights between its call and its hello hears nothing', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    // Its call was let in with the record as it was then.
    const record = server.directory.agent(anId('/spire/agent/a'))
    if (record === undefined) throw new Error('no agent')
    await server.change({ kind: 'agent.put', agent: { ...record, banned: true, revisionNumber: 1 } })
    const agent = await server.follow('a', { serialNumber: record.serialNumber })
    expect([codeOf(agent), reasonOf(agent)]).toEqual(['AGENT_REFUSED', 4])
    expect(agent.messages).toEqual([])
    expect(server.followers.connectedCount).toBe(0)
  })

  test('SE-10 an agent that does not read loses its connection within 1 s', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const connection = tlsConnection(undefined)
    const agent = await server.follow('a', { connection })
    agent.reads = false
    await server.change(creating('1', 'a'))
    await server.change({ kind: 'agent.delete', spiffeId: anId('/spire/agent/a') })
    await server.clock.advance(1000)
    expect(server.disconnected).toEqual([connection.id])
  })

  test('SE-10 a superseded serial ends the stream within 1 s', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const agent = await server.follow('a')
    const record = server.directory.agent(anId('/spire/agent/a'))
    if (record === undefined) throw new Error('no agent')
    await server.change({ kind: 'agent.put', agent: { ...record, serialNumber: '2', revisionNumber: 1 } })
    await server.clock.advance(1000)
    expect([codeOf(agent), reasonOf(agent)]).toEqual(['AGENT_REFUSED', 3])
  })

  test('a renewing agent opens the next stream, which ends the one before without an alarm', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const before = await server.follow('a')
    const record = server.directory.agent(anId('/spire/agent/a'))
    if (record === undefined) throw new Error('no agent')
    await server.change({ kind: 'agent.put', agent: { ...record, serialNumber: '2', revisionNumber: 1 } })
    const next = await server.follow('a', { held: before, serialNumber: '2' })
    await server.clock.advance(2000)
    expect(codeOf(before)).toBe('STREAM_SUPERSEDED')
    expect(next.ended).toBeUndefined()
    expect(server.alarms).toBe(0)
  })

  test('SE-10 one agent id on two streams raises an alarm and ends the older', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const older = await server.follow('a')
    const newer = await server.follow('a', { connection: tlsConnection(undefined, { address: '10.6.6.6' }) })
    expect(codeOf(older)).toBe('STREAM_SUPERSEDED')
    expect(newer.ended).toBeUndefined()
    expect(server.alarms).toBe(1)
    const records = await Array.fromAsync(server.store.audit({ type: 'agent.duplicated' }))
    expect(records).toHaveLength(1)
    // The one that took over is the one that hears of changes.
    await server.change(creating('1', 'a'))
    expect([older.ids, newer.ids]).toEqual([[], ['1']])
  })
})

describe('acknowledgements', () => {
  test('name the live agents that have not applied a revision', async () => {
    await using server = await SyncServer.open(
      ...[own(1), joining('a'), joining('away')],
      { kind: 'agent.put', agent: anAgent('ended', { expiresAt: anInstant(-1) }) },
      { kind: 'agent.put', agent: anAgent('banned', { banned: true }) },
    )
    const agent = await server.follow('a')
    agent.acknowledges = false
    const revision = await server.change(own(2))
    const missing = (): string[] => server.followers.missing(revision).map(({ path }) => path.split('/').at(-1) ?? '')
    expect(missing()).toEqual(['a', 'away'])
    agent.acknowledge()
    await settled()
    expect(missing()).toEqual(['away'])
    // What it has applied stays applied when it leaves.
    agent.stop.abort()
    await settled()
    expect(missing()).toEqual(['away'])
    expect(server.followers.missing(revision + 1).map(({ path }) => path)).toContain('/spire/agent/a')
  })

  test('nothing is known of live agents that have not come since the start, by stream or by poll', async () => {
    await using server = await SyncServer.open(
      ...[own(1), joining('a'), joining('away'), joining('polls')],
      { kind: 'agent.put', agent: anAgent('ended', { expiresAt: anInstant(-1) }) },
      { kind: 'agent.put', agent: anAgent('banned', { banned: true }) },
    )
    const unheard = (): string[] => server.followers.unheard().map(({ path }) => path.split('/').at(-1) ?? '')
    expect(unheard()).toEqual(['a', 'away', 'polls'])
    const agent = await server.follow('a')
    server.followers.polledBundle(anId('/spire/agent/polls'), 1)
    expect(unheard()).toEqual(['away'])
    agent.stop.abort()
    await settled()
    expect(unheard()).toEqual(['away'])
  })

  test('an agent that polls counts two of its intervals after it has fetched the bundle', async () => {
    await using server = await SyncServer.open(own(1), joining('a'))
    const id = anId('/spire/agent/a')
    const { followers, clock, directory } = server
    const isMissing = (): boolean => followers.missing(directory.revision).length > 0
    for (let poll = 0; poll < 6; poll++) {
      followers.polledBundle(id, 1)
      await clock.advance(2000)
    }
    followers.polledBundle(id, 1)
    expect(isMissing()).toBe(false)
    await server.change(own(2))
    followers.polledBundle(id, 1)
    await clock.advance(60_000)
    expect(isMissing()).toBe(true)
    followers.polledBundle(id, 2)
    await clock.advance(2000)
    followers.polledBundle(id, 2)
    expect(isMissing()).toBe(true)
    await clock.advance(120_001)
    expect(isMissing()).toBe(false)
    expect(followers.statuses()).toMatchObject([{ connected: false, transport: 'poll' }])
  })
})
