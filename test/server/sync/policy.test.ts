import { createHash, randomBytes, sign } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Entitlements } from '../../../agent/entries/entitlements.ts'
import { PolicyHolder } from '../../../agent/policy/policy-holder.ts'
import { SavedPolicy } from '../../../agent/policy/saved-policy.ts'
import { PolicyReading } from '../../../agent/upstream/policy-messages.ts'
import type { KeyStore } from '../../../server/keys/key-store.ts'
import { memoryKeyStore } from '../../../server/keys/memory-key-store.ts'
import { addQuarantine, removeQuarantine } from '../../../server/lifecycle/quarantine.ts'
import { APPROVAL_LIMITS } from '../../../server/lifecycle/approval-limits.ts'
import { Groups } from '../../../server/lifecycle/groups.ts'
import { activeKeyId } from '../../../server/policy/policy-keys.ts'
import { openPolicy, type PolicyParts } from '../../../server/policy/open-policy.ts'
import { Directory } from '../../../server/entries/directory.ts'
import { heldDigest } from '../../../server/sync/policy-view.ts'
import { syncImplementation } from '../../../server/sync/follow.ts'
import { Followers } from '../../../server/sync/followers.ts'
import type { SyncDeps } from '../../../server/sync/sync-deps.ts'
import type { Mutation } from '../../../server/store/store.ts'
import type { Cryptography } from '../../../src/key/cryptography.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { threadPoolCryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { silentLog as log } from '../../../src/log/log.ts'
import type { FastLaneEvent } from '../../../src/policy/fast-lane.ts'
import { readFastLaneEntry, readLifecycle } from '../../../src/policy/read-fast-lane.ts'
import { readSlice } from '../../../src/policy/read-slice.ts'
import type { SliceDocument } from '../../../src/policy/signed-documents.ts'
import { codecOf } from '../../../src/wire/codec.ts'
import { decodeMessage } from '../../../src/wire/decode-message.ts'
import type { Call } from '../../../src/wire/call.ts'
import {
  heartbeatContentType,
  syncService,
  type AgentMessage,
  type HeldPolicy,
  type ServerMessage,
} from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { fakeCall, tlsConnection } from '../../fakes/fake-call.ts'
import { roomy } from '../../fakes/policy-objects.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { MemoryDisk } from '../../fakes/memory-disk.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { anAgent, anId, anInstant, doing } from '../../fakes/store-objects.ts'
import { PolicySigner } from '../../agent/policy/policy-signer.ts'
import { shopEntries, shopEntry, shopPolicy } from '../policy/shop-policy.ts'

const trustDomain = TrustDomain.parse('example.org')
// In this thread, so that a test knows when everything is done.
const cryptography: Cryptography = {
  ...threadPoolCryptography,
  sign: async (_algorithm, key, data) => sign(null, data, key),
}
const codec = codecOf(syncService, 'Follow')
const deed = { at: anInstant(0), callerId: 'local:uid:0' }
const NOTHING_HELD: HeldPolicy = {
  ...{ epoch: 0, revision: 0, slices: [], fastLaneSequence: 0, keysVersion: 0, keyIds: [] },
}

/** An agent's end of a stream: keeps slices and the fast lane as it is told. */
class PolicyAgent {
  readonly messages: ServerMessage[] = []
  readonly stop = new AbortController()
  readonly slices = new Map<string, SliceDocument>()
  readonly digests = new Map<string, Buffer>()
  epoch = 0
  revision = 0
  sequence = 0
  keysVersion = 0
  digest: Buffer | undefined
  reads = true
  #inbox: AgentMessage[] = []
  #wake = (): void => undefined
  #resume = (): void => undefined

  constructor(held?: PolicyAgent) {
    if (held === undefined) return
    for (const [id, slice] of held.slices) this.slices.set(id, slice)
    for (const [id, digest] of held.digests) this.digests.set(id, digest)
    Object.assign(this, { epoch: held.epoch, revision: held.revision, sequence: held.sequence })
    this.keysVersion = held.keysVersion
  }

  get held(): HeldPolicy {
    const slices = [...this.digests].map(([spiffeId, digest]) => ({ spiffeId, digest }))
    const { epoch, revision, keysVersion } = this
    return { ...NOTHING_HELD, epoch, revision, slices, fastLaneSequence: this.sequence, keysVersion }
  }

  get told(): string[] {
    return this.messages.flatMap(({ message }) => (message === undefined || message === 'heartbeat' ? [] : [message]))
  }

  heartbeats() {
    return this.messages.flatMap(({ heartbeat }) =>
      heartbeat ? [decodeMessage(heartbeatContentType, heartbeat.content)] : [],
    )
  }

  send(message: AgentMessage): void {
    this.#inbox.push(message)
    this.#wake()
  }

  acknowledge(fields: object = {}): void {
    const { epoch, revision, sequence: fastLaneSequence, keysVersion } = this
    const policy = { epoch, revision, fastLaneSequence, keysVersion, digest: heldDigest(this.digests), refused: '' }
    this.send({ ack: { revision: 0, digest: Buffer.alloc(0), policy: { ...policy, ...fields } } })
  }

  resume(): void {
    this.reads = true
    this.#resume()
  }

  async *requests(): AsyncGenerator<AgentMessage> {
    for (;;) {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) yield next
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        this.stop.signal.addEventListener('abort', () => resolve(), { once: true })
      })
      if (this.stop.signal.aborted) return
    }
  }

  async read(messages: AsyncIterable<ServerMessage>): Promise<void> {
    try {
      for await (const message of messages) {
        this.#take(message)
        if (!this.reads) await new Promise<void>((resolve) => (this.#resume = resolve))
      }
    } catch {
      // The test ends the stream.
    }
  }

  #take(message: ServerMessage): void {
    this.messages.push(message)
    const { policySnapshot, policyDelta, fastLane } = message
    if (policySnapshot) {
      this.slices.clear()
      this.digests.clear()
    }
    const pushed = policySnapshot ?? policyDelta
    for (const { content } of pushed?.slices ?? []) {
      const slice = readSlice(content)
      this.slices.set(slice.spiffeId, slice)
      this.digests.set(slice.spiffeId, sha256(content))
    }
    for (const id of policyDelta?.removedIdentities ?? []) {
      this.slices.delete(id)
      this.digests.delete(id)
    }
    if (pushed) {
      this.epoch = pushed.epoch
      this.revision = pushed.revision
      this.digest = pushed.digest
    }
    if (!fastLane) return
    if (fastLane.keys !== null)
      this.keysVersion = (JSON.parse(fastLane.keys.content.toString()) as { version: number }).version
    const contents = [...fastLane.entries, ...(fastLane.snapshot === null ? [] : [fastLane.snapshot])]
    for (const { content } of contents) {
      const { sequence, epoch } = JSON.parse(content.toString()) as { sequence: number; epoch: number }
      this.sequence = sequence
      this.epoch = epoch
    }
  }
}

const sha256 = (content: Uint8Array): Buffer => createHash('sha256').update(content).digest()

describe('the push of policy', () => {
  const clock = new FakeClock()
  let store: MemoryStore
  let directory: Directory
  let policy: PolicyParts
  let followers: Followers
  let deps: SyncDeps
  let stop: AbortController
  /** What the next keys that are made wait for. */
  const slowly: Promise<void>[] = []
  let running: Promise<unknown>
  const callers = new WeakMap<Call, unknown>()

  const open = async (): Promise<void> => {
    directory = await Directory.open({ store, trustDomain, clock, log })
    const memory = memoryKeyStore(cryptography)
    const keys: KeyStore = {
      ...memory,
      generate: async (name, type) => {
        await slowly.shift()
        return await memory.generate(name, type)
      },
    }
    policy = await openPolicy({
      ...{ store, keys, directory, trustDomain, clock, cryptography, random: randomBytes, log, secondSigners: [] },
      admins: [],
    })
    deps = {
      ...{ trustDomain, store, clock, directory, log, policy },
      checkpointSigner: { publicKey: Buffer.from('key'), sign: () => Promise.resolve(Buffer.from('signature')) },
      callerOf: (call) => callers.get(call) as ReturnType<SyncDeps['callerOf']>,
      refusalOf: () => Promise.resolve(undefined),
      disconnect: () => undefined,
      decisionRoom: roomy,
      duplicateStreams: { add: () => undefined },
    }
    followers = new Followers(deps)
    stop = new AbortController()
    running = Promise.all([policy.book.run(stop.signal), followers.run(stop.signal)])
    await settled()
  }

  const close = async (): Promise<void> => {
    stop.abort()
    await running
    await directory[Symbol.asyncDispose]()
  }

  beforeEach(async () => {
    store = new MemoryStore({ clock })
    await store.commit(
      doing(
        { kind: 'agent.put', agent: anAgent('1', { revisionNumber: 0 }) },
        { kind: 'agent.put', agent: anAgent('2', { revisionNumber: 0 }) },
        ...shopEntries.map((entry): Mutation => ({
          kind: 'entry.create',
          entry: { ...entry, parentId: nodeOf(entry.id) },
        })),
      ),
    )
    await open()
  })
  afterEach(close)

  /** The store is on one node, everything else on the other. */
  const nodeOf = (entryId: string) => anAgent(entryId === 'store' ? '1' : '2').spiffeId

  const follow = async (path: string, held?: PolicyAgent, hello: object = {}): Promise<PolicyAgent> => {
    const agent = new PolicyAgent(held)
    const call = fakeCall('/sallyport.sync.v1.Sync/Follow', tlsConnection(undefined), agent.stop.signal)
    const record = directory.agent(anAgent(path).spiffeId)
    callers.set(call, {
      ...{ kind: 'agent', spiffeId: anAgent(path).spiffeId, agent: record, serialNumber: '', roles: [] },
      ...{ expiresAt: new Date(clock.now().getTime() + 3_600_000), address: '10.0.0.1' },
    })
    const { handlers } = syncImplementation(deps, followers)
    const streams = handlers['follow'] as (
      requests: AsyncIterable<AgentMessage>,
      call: Call,
    ) => AsyncIterable<ServerMessage>
    void agent.read(messagesOf(streams(agent.requests(), call)))
    agent.send({
      hello: {
        ...{ revision: 0, digest: Buffer.alloc(0), epoch: '', agentVersion: '', nonce: Buffer.from('nonce') },
        ...{ policy: agent.held, ...hello },
      },
    })
    await quiet()
    return agent
  }

  const quiet = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn += 1) await settled()
  }
  const apply = async (source: string): Promise<void> => {
    await policy.policies.apply(source, { dryRun: false, acceptLoss: true, note: '' }, deed)
    await quiet()
  }
  const commit = async (...mutations: readonly Mutation[]): Promise<void> => {
    await store.commit(doing(...mutations))
    await quiet()
  }
  const quarantine = async (path: string): Promise<void> => {
    const target = { kind: 'identity', id: anId(path).toString() } as const
    await addQuarantine({ target, forensics: [], reason: 'drill' }, deed, lifecycle())
    await quiet()
  }
  const approvals = APPROVAL_LIMITS
  const lifecycle = () => ({
    store,
    directory,
    ...policy,
    groups: new Groups({}),
    approvals,
    clock,
    random: randomBytes,
  })

  test('an agent that handles no policy hears nothing of it', async () => {
    await apply(shopPolicy())
    await quarantine('/web/store')
    const agent = await follow('1', undefined, { policy: null })
    expect(agent.told).toEqual(['snapshot'])
  })

  test('SE-45: without a policy an agent hears the keys once, and nothing more', async () => {
    const agent = await follow('1')
    expect(agent.told).toEqual(['snapshot', 'fastLane'])
    expect(agent.keysVersion).toBe(1)
    expect((await follow('1', agent)).told).toEqual(['snapshot'])
  })

  test('an agent gets the slices of its own identities, and no others', async () => {
    await apply(shopPolicy())
    const agent = await follow('1')
    expect([...agent.slices.keys()]).toEqual([anId('/web/store').toString()])
    expect(agent.digest).toEqual(heldDigest(agent.digests))
    expect(agent.revision).toBe(1)
  })

  test('a new policy reaches those whose slice it changes, and a heartbeat tells the others its revision', async () => {
    await apply(shopPolicy())
    const [one, two] = [await follow('1'), await follow('2')]
    const [toldOne, toldTwo] = [one.told.length, two.told.length]
    await apply(shopPolicy({ rules: '  - { id: more, from: [ /ops/alice ], to: db, actions: [ connect ], owner: a }' }))
    expect(one.told.slice(toldOne)).toEqual([])
    expect(two.told.slice(toldTwo)).toEqual(['policyDelta'])
    expect(two.messages.at(-1)?.policyDelta?.slices.length).toBeLessThan(4)
    await clock.advance(5000)
    await quiet()
    expect(one.heartbeats().at(-1)).toMatchObject({ policyRevision: 2, policyEpoch: policy.book.epoch })
  })

  test('labels of an entry change the slices of its services only', async () => {
    const when =
      '  - { id: prod, from: [ /web/** ], to: orders, actions: [ read ], when: \'src.labels["env"] == "prod"\', owner: a }'
    await apply(shopPolicy({ rules: when }))
    const [one, two] = [await follow('1'), await follow('2')]
    const before = two.slices.get(anId('/data/pg').toString())
    await commit({
      kind: 'entry.create',
      entry: shopEntry('blog', '/web/blog', { parentId: nodeOf('store'), labels: { env: 'prod' } }),
    })
    expect(one.messages.at(-1)?.policyDelta?.slices).toHaveLength(1)
    expect([...one.slices.keys()]).toEqual([anId('/web/store').toString(), anId('/web/blog').toString()])
    const orders = two.slices.get(anId('/shop/orders').toString())
    expect(orders?.members.find(({ spiffeId }) => spiffeId.endsWith('/web/blog'))?.labels).toEqual({ env: 'prod' })
    expect(two.messages.at(-1)?.policyDelta?.slices).toHaveLength(1)
    expect(two.slices.get(anId('/data/pg').toString())).toBe(before)
  })

  test('an identity that goes takes its slice along', async () => {
    await apply(shopPolicy())
    const agent = await follow('1')
    await commit({ kind: 'entry.delete', id: 'store' })
    expect(agent.messages.at(-1)?.policyDelta?.removedIdentities).toEqual([anId('/web/store').toString()])
    expect(agent.slices.size).toBe(0)
    expect(agent.digest).toEqual(heldDigest(agent.digests))
  })

  test('an agent that comes back with what it held hears only what changed', async () => {
    await apply(shopPolicy())
    const before = await follow('2')
    expect((await follow('2', before)).told).toEqual(['snapshot'])
    await apply(shopPolicy({ rules: '  - { id: more, from: [ /ops/alice ], to: db, actions: [ connect ], owner: a }' }))
    const after = await follow('2', before)
    expect(after.told).toEqual(['snapshot', 'policyDelta'])
    expect(after.digest).toEqual(heldDigest(after.digests))
  })

  test('an agent that does not read gets one merged message for many changes', async () => {
    await apply(shopPolicy())
    const agent = await follow('2')
    agent.reads = false
    await quarantine('/web/store')
    const told = agent.told.length
    for (const name of ['a', 'b', 'c']) {
      await apply(
        shopPolicy({ rules: `  - { id: ${name}, from: [ /ops/alice ], to: db, actions: [ connect ], owner: a }` }),
      )
    }
    agent.resume()
    await quiet()
    expect(agent.told.slice(told)).toEqual(['policyDelta'])
    expect(agent.revision).toBe(4)
  })

  test('an agent that holds something else than it was sent gets everything, after a pause', async () => {
    await apply(shopPolicy())
    const agent = await follow('2')
    agent.acknowledge()
    await quiet()
    const told = agent.told.length
    agent.acknowledge({ digest: Buffer.alloc(32, 1) })
    await clock.advance(5000)
    await quiet()
    expect(agent.told.slice(told)).toEqual(['policySnapshot'])
  })

  describe('the fast lane', () => {
    test('goes to every agent at once, in order and without a gap', async () => {
      const [one, two] = [await follow('1'), await follow('2')]
      await quarantine('/web/store')
      await quarantine('/data/pg')
      for (const agent of [one, two]) {
        const entries = agent.messages.flatMap(({ fastLane }) => fastLane?.entries ?? [])
        const sequences = entries.map(
          ({ content }) => (JSON.parse(content.toString()) as { sequence: number }).sequence,
        )
        expect(sequences).toEqual([1, 2])
      }
    })

    test('is resumed from the sequence that an agent holds', async () => {
      const agent = await follow('1')
      await quarantine('/web/store')
      agent.stop.abort()
      await quarantine('/data/pg')
      const back = await follow('1', agent)
      const [message] = back.messages.flatMap(({ fastLane }) => fastLane ?? [])
      expect(message?.entries).toHaveLength(1)
      expect([message?.snapshot, back.sequence]).toEqual([null, 2])
    })

    test('of another epoch, or from before what is kept, is a snapshot of what is live', async () => {
      await quarantine('/web/store')
      await quarantine('/data/pg')
      await removeQuarantine(anId('/data/pg').toString(), '', deed, lifecycle())
      const foreign = new PolicyAgent()
      foreign.epoch = policy.book.epoch - 1
      foreign.sequence = 9
      const agent = await follow('1', foreign)
      const [message] = agent.messages.flatMap(({ fastLane }) => fastLane ?? [])
      expect(message?.entries).toEqual([])
      const document = JSON.parse(message?.snapshot?.content.toString() ?? '{}') as Record<string, unknown>
      expect(document).toMatchObject({ sequence: 3, lifecycle: { sequence: 3, quarantines: [{ reason: 'drill' }] } })
      expect(agent.epoch).toBe(policy.book.epoch)
    })

    const nodeQuarantine = (id: string, count: number): FastLaneEvent => {
      const identities = Array.from({ length: count }, (_, index) => String(anId(`/ns/some-namespace/sa/${index}`)))
      return {
        kind: 'quarantine.add',
        body: { id, target: { node: 'n', identities }, forensics: [], reason: '', since: 0 },
      }
    }
    const append = (...events: readonly FastLaneEvent[]): Promise<void> =>
      policy.fastLane.change(() => ({ mutations: [], events, audit: [] }))

    test('takes no entry that agents would refuse, and never more than they can hold', async () => {
      await append(nodeQuarantine('q-1', 10_000))
      expect(readFastLaneEntry(Buffer.from(policy.book.fastLaneHead?.content ?? '')).sequence).toBe(1)
      await expect(append(nodeQuarantine('q-2', 30_000))).rejects.toThrowCode('LIFECYCLE_REFUSED', 'too many')
      for (let count = 2; count <= 6; count += 1) await append(nodeQuarantine(`q-${count}`, 10_000))
      await expect(append(nodeQuarantine('q-7', 10_000))).rejects.toThrowCode('LIFECYCLE_REFUSED', 'more is live')
      await append({ kind: 'quarantine.remove', body: { id: 'q-1' } })
      const { content } = await policy.fastLane.snapshot()
      expect(readLifecycle(Buffer.from(content)).sequence).toBe(7)
    })

    test('comes in messages that agents can take', async () => {
      const agent = await follow('1')
      await quarantine('/web/store')
      agent.stop.abort()
      for (const id of ['q-1', 'q-2', 'q-3']) await append(nodeQuarantine(id, 10_000))
      await quiet()
      const back = await follow('1', agent)
      const counts = back.messages.flatMap(({ fastLane }) => fastLane?.entries.length ?? [])
      expect(counts).toEqual([2, 1])
      expect(back.sequence).toBe(4)
    })

    test('comes before slices that wait', async () => {
      await apply(shopPolicy())
      const agent = await follow('2')
      agent.reads = false
      await quarantine('/web/store')
      const told = agent.told.length
      await apply(shopPolicy({ rules: '  - { id: a, from: [ /ops/alice ], to: db, actions: [ connect ], owner: a }' }))
      await quarantine('/data/pg')
      agent.resume()
      await quiet()
      expect(agent.told.slice(told)).toEqual(['fastLane', 'policyDelta'])
    })
  })

  describe('SE-45: keys', () => {
    /** A real agent, which believes what it is told by the keys that it has pinned. */
    const realAgent = async () => {
      const saved = new SavedPolicy(new MemoryDisk(), '/data')
      const holder = new PolicyHolder({
        ...{
          trustDomain: trustDomain.name,
          cryptography: threadPoolCryptography,
          clock,
          log,
          heartbeatMs: 5000,
          saved,
          entitlements: new Entitlements(trustDomain),
          agentId: () => undefined,
        },
      })
      const visit = async (): Promise<PolicyAgent> => {
        const agent = await follow('1', undefined, { policy: holder.held })
        await hear(agent, 0)
        return agent
      }
      const hear = async ({ messages }: PolicyAgent, from: number): Promise<void> => {
        const reading = new PolicyReading()
        for (const pushed of messages.slice(from).flatMap((message) => reading.read(message) ?? [])) {
          await holder.apply(pushed)
          expect(holder.refused).toBe('')
        }
        await holder.settle()
      }
      return { holder, visit, hear }
    }
    const revokeActive = async (): Promise<void> => {
      await policy.policyKeys.revoke(activeKeyId(policy.book.state), deed, 'drill')
      await quiet()
    }

    test('an agent that was away while keys went can follow them, and what is live', async () => {
      await apply(shopPolicy())
      const { holder, visit } = await realAgent()
      ;(await visit()).stop.abort()
      await quarantine('/web/store')
      await revokeActive()
      await quarantine('/data/pg')
      await policy.policyKeys.rotate(deed, 'drill')
      await revokeActive()
      const back = await visit()
      expect(holder.state.keys?.version).toBe(policy.book.state.keysVersion)
      expect(holder.state.fastLane.sequence).toBe(2)
      // What is outdated is named in no hello; this one was said before the keys were heard.
      back.stop.abort()
      await visit()
      expect([...holder.state.slices.values()].map(({ isOutdated }) => isOutdated ?? false)).toEqual([false])
    })

    test('what is live is signed anew for agents that are there while a key goes', async () => {
      const { holder, visit, hear } = await realAgent()
      const agent = await visit()
      await quarantine('/web/store')
      await revokeActive()
      await hear(agent, 0)
      const { keys, fastLane } = holder.state
      expect(fastLane.entries).toEqual([])
      const snapshot = fastLane.snapshot?.signed
      expect(snapshot && (await keys?.hasSigned(snapshot, threadPoolCryptography))).toBe(true)
    })

    test('two who change keys at the same moment do not undo each other', async () => {
      const { holder, visit, hear } = await realAgent()
      const agent = await visit()
      const { keysVersion } = policy.book.state
      const { promise, resolve } = Promise.withResolvers<void>()
      slowly.push(promise)
      const slow = policy.policyKeys.rotate(deed, 'one')
      await policy.policyKeys.rotate(deed, 'two')
      resolve()
      await slow
      await quiet()
      expect(policy.book.state.keysVersion).toBe(keysVersion + 2)
      expect(policy.book.state.keys).toHaveLength(3)
      await quarantine('/web/store')
      await hear(agent, 0)
      expect(holder.state.fastLane.sequence).toBe(1)
    })

    test('an agent whose stream stays open hears every set of keys, also one after the other has gone', async () => {
      const { holder, visit, hear } = await realAgent()
      const agent = await visit()
      agent.reads = false
      await revokeActive()
      await revokeActive()
      await revokeActive()
      agent.resume()
      await quiet()
      await quarantine('/web/store')
      await hear(agent, 0)
      expect(holder.state.keys?.version).toBe(policy.book.state.keysVersion)
      expect(holder.state.fastLane.sequence).toBe(1)
    })

    describe('after a backup that is older than the revocation of its keys', () => {
      /** An agent that has pinned what this server has never heard of. */
      const later = new PolicySigner({ epoch: 1 })
      const visiting = async () => {
        const agent = await realAgent()
        await agent.holder.apply(later.snapshot(1, [later.slice('/old', 1)]))
        await agent.holder.settle()
        return agent
      }
      const told = async (holder: PolicyHolder, { messages }: PolicyAgent): Promise<void> => {
        const reading = new PolicyReading()
        for (const pushed of messages.splice(0).flatMap((message) => reading.read(message) ?? [])) {
          await holder.apply(pushed).catch((error: unknown) => expect(error).toThrowCode('SYNC_MISMATCH'))
        }
      }
      const vouch = async (by = later): Promise<void> => {
        const content = Buffer.from(policy.book.state.signedKeys.content)
        const spki = by.key.publicKey.export({ format: 'der', type: 'spki' })
        await policy.policyKeys.vouch({ spki, signature: sign(null, content, by.key.privateKey) }, deed, 'restored')
        await quiet()
      }

      test('an agent refuses, and believes on the same stream once a key that it trusts vouches', async () => {
        await apply(shopPolicy())
        await quarantine('/web/store')
        const { holder, visit } = await visiting()
        const agent = await follow('1', undefined, { policy: holder.held })
        await told(holder, agent)
        expect(holder.refused).toContain('POLICY_KEYS_UNTRUSTED')
        await vouch()
        await told(holder, agent)
        expect(holder.state.keys?.version).toBe(policy.book.state.keysVersion)
        agent.stop.abort()
        await visit()
        expect(holder.status.policyRevision).toBe(1)
        expect(holder.state.fastLane).toMatchObject({ epoch: policy.book.epoch, sequence: 1 })
      })

      test('an agent that was away then finds the set that was vouched for, and follows from there', async () => {
        await vouch()
        await policy.policyKeys.rotate(deed, 'drill')
        await revokeActive()
        await quarantine('/web/store')
        const { holder, visit } = await visiting()
        await visit().catch((error: unknown) => expect(error).toThrowCode('SYNC_MISMATCH'))
        await visit()
        expect(holder.state.keys?.version).toBe(policy.book.state.keysVersion)
        expect(holder.state.fastLane.sequence).toBe(1)
      })

      test('only a signature of the current set counts, once, and makes its key no policy key', async () => {
        const spki = later.key.publicKey.export({ format: 'der', type: 'spki' })
        const stale = { spki, signature: sign(null, Buffer.from('{}'), later.key.privateKey) }
        await expect(policy.policyKeys.vouch(stale, deed, 'x')).rejects.toThrowCode('POLICY_SIGNATURE_REFUSED')
        await expect(policy.policyKeys.vouch({ ...stale, spki: Buffer.alloc(9) }, deed, 'x')).rejects.toThrowCode(
          'POLICY_SIGNATURE_REFUSED',
          'cannot be read',
        )
        await vouch()
        await expect(vouch()).rejects.toThrowCode('POLICY_SIGNATURE_REFUSED', 'signed the current set already')
        expect(policy.book.state.keys.map(({ keyId }) => keyId)).not.toContain(later.key.keyId)
      })
    })

    test('an entry that a key signed just before it went is not sent after it', async () => {
      const { holder, visit, hear } = await realAgent()
      const agent = await visit()
      const { policyKeys } = policy
      const sign = policyKeys.sign.bind(policyKeys)
      const { signatures } = await sign('', policy.book.state)
      await revokeActive()
      policyKeys.sign = async (content, state) =>
        content.includes('"kind":"quarantine.add"') ? { content, signatures } : await sign(content, state)
      await quarantine('/web/store')
      await hear(agent, 0)
      expect(holder.state.fastLane.sequence).toBe(1)
    })
  })

  describe('SE-41: heartbeats', () => {
    test('come after what of the fast lane they tell of', async () => {
      const agent = await follow('1')
      agent.reads = false
      await clock.advance(5000)
      await quiet()
      await quarantine('/web/store')
      await clock.advance(5000)
      await quiet()
      agent.resume()
      await quiet()
      let sequence = 0
      for (const { fastLane, heartbeat } of agent.messages) {
        if (fastLane) sequence += fastLane.entries.length
        if (!heartbeat) continue
        expect(decodeMessage(heartbeatContentType, heartbeat.content).fastLaneSequence).toBeLessThanOrEqual(sequence)
      }
      expect(agent.heartbeats().at(-1)?.fastLaneSequence).toBe(1)
    })

    test('the first of a stream carries the nonce of its hello, later ones none and a later time', async () => {
      const agent = await follow('1')
      await clock.advance(5000)
      await quiet()
      clock.jump(-3_600_000)
      await clock.advance(5000)
      await quiet()
      const [first, ...later] = agent.heartbeats()
      expect(first?.nonce.toString()).toBe('nonce')
      expect(later.length).toBeGreaterThan(1)
      expect(later.every(({ nonce }) => nonce.length === 0)).toBe(true)
      const times = agent.heartbeats().map(({ serverTimeMs }) => serverTimeMs)
      expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b))
    })

    test('tell the policy revision and the sequence', async () => {
      await apply(shopPolicy())
      await quarantine('/web/store')
      const [first] = (await follow('1')).heartbeats()
      expect(first).toMatchObject({ policyRevision: 1, fastLaneSequence: 1, policyEpoch: policy.book.epoch })
    })
  })

  test('what an agent acknowledges of policy can be told', async () => {
    await apply(shopPolicy())
    const agent = await follow('1')
    await quarantine('/web/store')
    const status = () => followers.statuses().find(({ spiffeId }) => spiffeId.equals(anAgent('1').spiffeId))?.policy
    expect(status()).toMatchObject({ revision: 0, fastLaneSequence: 0 })
    agent.acknowledge()
    await quiet()
    expect(status()).toMatchObject({ epoch: policy.book.epoch, revision: 1, fastLaneSequence: 1, keysVersion: 1 })
    agent.acknowledge({ refused: 'a signature' })
    await quiet()
    expect(status()?.refused).toBe('a signature')
  })

  test.for(['epoch', 'revision', 'fastLaneSequence', 'keysVersion'])(
    'an agent whose %s could not be told ends its own stream and nothing else',
    async (field) => {
      await apply(shopPolicy())
      const agent = await follow('1')
      agent.acknowledge({ [field]: 2 ** 60 })
      await quiet()
      const [status] = followers.statuses()
      expect(status?.connected).toBe(false)
      expect(Object.values(status?.policy ?? {})).not.toContain(2 ** 60)
    },
  )

  test('SE-45: a restored store has a later epoch, and its agents get everything anew', async () => {
    await apply(shopPolicy())
    const agent = await follow('1')
    const epoch = policy.book.epoch
    await close()
    store = store.reopened({ clock })
    store.restore('restored')
    await open()
    expect(policy.book.epoch).toBeGreaterThan(epoch)
    const back = await follow('1', agent)
    expect(back.told).toContain('policySnapshot')
    expect(back.slices.get(anId('/web/store').toString())?.epoch).toBe(policy.book.epoch)
  })
})

async function* messagesOf(sent: AsyncIterable<unknown>): AsyncGenerator<ServerMessage> {
  for await (const message of sent) yield codec.decodeResponse(codec.encodeResponse(message)) as ServerMessage
}
