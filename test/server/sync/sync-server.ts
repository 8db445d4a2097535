import { agentRefused } from '../../../server/access/permission-denied.ts'
import { checkAgent } from '../../../server/access/agent-rule.ts'
import { Directory } from '../../../server/entries/directory.ts'
import type { Mutation } from '../../../server/store/store.ts'
import { syncImplementation } from '../../../server/sync/follow.ts'
import { Followers } from '../../../server/sync/followers.ts'
import type { SyncDeps } from '../../../server/sync/sync-deps.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { ViewDigest } from '../../../src/entry/view-digest.ts'
import type { Bundle } from '../../../src/bundle/bundle.ts'
import type { SallyportError } from '../../../src/errors.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { silentLog } from '../../../src/log/log.ts'
import { bundleFromMessage } from '../../../src/wire/bundle-message.ts'
import type { Call, Connection } from '../../../src/wire/call.ts'
import { entryFromMessage } from '../../../src/wire/entry-message.ts'
import { codecOf } from '../../../src/wire/codec.ts'
import {
  syncService,
  type AgentMessage,
  type Hello,
  type ServerMessage,
} from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { fakeCall, tlsConnection } from '../../fakes/fake-call.ts'
import { roomy } from '../../fakes/policy-objects.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { anId, anInstant, doing } from '../../fakes/store-objects.ts'

const trustDomain = TrustDomain.parse('example.org')
const codec = codecOf(syncService, 'Follow')

/** The push streams of a server, without sockets. */
export class SyncServer implements AsyncDisposable {
  readonly clock = new FakeClock()
  store: MemoryStore
  stop = new AbortController()
  alarms = 0
  readonly disconnected: string[] = []
  directory!: Directory
  followers!: Followers
  #deps!: SyncDeps
  #running!: Promise<void>

  private constructor() {
    this.store = new MemoryStore({ clock: this.clock })
  }

  static async open(...mutations: readonly Mutation[]): Promise<SyncServer> {
    const server = new SyncServer()
    if (mutations.length > 0) {
      const outcome = await server.store.commit(doing(...mutations))
      if (!outcome.ok) throw new Error(outcome.reason)
    }
    const { clock, store } = server
    server.directory = await Directory.open({ store, trustDomain, clock, log: silentLog })
    const checkpointSigner = {
      publicKey: Buffer.from('public key'),
      sign: () => Promise.resolve(Buffer.from('signature')),
    }
    const callerOf = (call: Call) => callers.get(call) as ReturnType<SyncDeps['callerOf']>
    server.#deps = {
      ...{ trustDomain, store, clock, checkpointSigner, callerOf, directory: server.directory, log: silentLog },
      refusalOf: (call) => server.#refusalOf(call),
      disconnect: ({ id }) => void server.disconnected.push(id),
      decisionRoom: roomy,
      duplicateStreams: { add: () => server.alarms++ },
    }
    server.followers = new Followers(server.#deps)
    server.startFollowers()
    await settled()
    return server
  }

  /** Commits, and lets everything happen that follows at once. */
  async change(...mutations: readonly Mutation[]): Promise<number> {
    const outcome = await this.store.commit(doing(...mutations))
    if (!outcome.ok) throw new Error(outcome.reason)
    await settled()
    return outcome.revision
  }

  startFollowers(): void {
    this.stop = new AbortController()
    this.#running = this.followers.run(this.stop.signal)
  }

  /** As when the loop fails; its streams stay. */
  async stopFollowers(): Promise<void> {
    this.stop.abort()
    await this.#running
  }

  /** An agent opens a stream. */
  async follow(path: string, options: FollowOptions = {}): Promise<FakeAgent> {
    const agent = new FakeAgent(options.held)
    const connection = options.connection ?? tlsConnection(undefined)
    const call = fakeCall('/sallyport.sync.v1.Sync/Follow', connection, agent.stop.signal)
    const record = this.directory.agent(anId(`/spire/agent/${path}`))
    const serialNumber = options.serialNumber ?? record?.serialNumber ?? ''
    const expiresAt = options.expiresAt ?? anInstant(3600)
    callers.set(call, {
      ...{ kind: 'agent', spiffeId: anId(`/spire/agent/${path}`), agent: record, serialNumber, expiresAt },
      ...{ address: '10.0.0.1', roles: [] },
    })
    const { handlers } = syncImplementation(this.#deps, this.followers)
    const follow = handlers['follow'] as (
      requests: AsyncIterable<AgentMessage>,
      call: Call,
    ) => AsyncIterable<ServerMessage>
    agent.start(follow(agent.requests(), call))
    agent.send({ hello: { ...agent.hello(), ...options.hello } })
    await settled()
    return agent
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort()
    await this.#running
    await this.directory[Symbol.asyncDispose]()
  }

  async #refusalOf(call: Call): Promise<SallyportError | undefined> {
    const caller = callers.get(call) as Extract<ReturnType<SyncDeps['callerOf']>, { kind: 'agent' }>
    try {
      if (caller.expiresAt <= this.clock.now()) throw agentRefused('AGENT_EXPIRED', 'expired')
      checkAgent(caller.spiffeId, this.directory.agent(caller.spiffeId), caller.serialNumber)
      return undefined
    } catch (error) {
      return error as SallyportError
    }
  }
}

const callers = new WeakMap<Call, unknown>()

export interface FollowOptions {
  readonly hello?: Partial<Hello>
  /** What an earlier stream left. */
  readonly held?: FakeAgent | undefined
  readonly connection?: Connection
  readonly serialNumber?: string
  readonly expiresAt?: Date
}

/** The other end: applies what it is sent and acknowledges when told to. Every message passes through its bytes. */
export class FakeAgent {
  readonly stop = new AbortController()
  readonly messages: ServerMessage[] = []
  entries = new Map<string, RegistrationEntry>()
  bundles = new Map<string, Bundle>()
  revision = 0
  epoch = ''
  ended: unknown
  acknowledges = true
  /** False: the agent does not read, as behind a full connection. */
  reads = true
  #inbox: AgentMessage[] = []
  #wake = (): void => undefined
  #partial: ServerMessage['snapshot'][] = []

  constructor(held?: FakeAgent) {
    if (held === undefined) return
    this.entries = new Map(held.entries)
    this.bundles = new Map(held.bundles)
    this.revision = held.revision
    this.epoch = held.epoch
  }

  get digest(): Buffer {
    return ViewDigest.of(this.entries.values(), this.bundles.values()).bytes
  }

  get ids(): string[] {
    return [...this.entries.keys()].toSorted()
  }

  get kinds(): (string | undefined)[] {
    return this.messages.map(({ message }) => message)
  }

  hello(): Hello {
    const digest = this.revision === 0 ? Buffer.alloc(0) : this.digest
    return {
      revision: this.revision,
      digest,
      epoch: this.epoch,
      agentVersion: '',
      nonce: Buffer.alloc(32),
      policy: null,
    }
  }

  send(message: AgentMessage): void {
    this.#inbox.push(message)
    this.#wake()
  }

  acknowledge(revision = this.revision, digest = this.digest): void {
    this.send({ ack: { revision, digest, policy: null } })
  }

  /** Lets a reader that stood still go on. */
  resume(): void {
    this.reads = true
    this.#resume()
  }

  #resume = (): void => undefined

  async *requests(): AsyncGenerator<AgentMessage> {
    for (;;) {
      const next = this.#inbox.shift()
      if (next !== undefined) yield next
      else await new Promise<void>((resolve) => (this.#wake = resolve))
    }
  }

  start(stream: AsyncIterable<ServerMessage>): void {
    void (async () => {
      try {
        for await (const message of stream) {
          this.#take(message)
          while (!this.reads) await new Promise<void>((resolve) => (this.#resume = resolve))
        }
        this.ended = 'closed'
      } catch (error) {
        this.ended = error
      }
    })()
  }

  #take(sent: ServerMessage): void {
    const message = codec.decodeResponse(codec.encodeResponse(sent)) as ServerMessage
    this.messages.push(message)
    const { snapshot, delta } = message
    if (snapshot) {
      this.#partial.push(snapshot)
      if (!snapshot.last) return
      this.entries.clear()
      this.bundles.clear()
      for (const part of this.#partial.splice(0)) {
        for (const entry of part?.entries ?? []) this.entries.set(entry.id, entryFromMessage(entry))
        for (const bundle of part?.bundles ?? []) this.bundles.set(bundle.trustDomain, bundleFromMessage(bundle))
      }
      this.epoch = snapshot.epoch
      this.#applied(snapshot.revision, snapshot.digest)
    } else if (delta) {
      for (const entry of delta.entries) this.entries.set(entry.id, entryFromMessage(entry))
      for (const id of delta.removedEntryIds) this.entries.delete(id)
      for (const bundle of delta.bundles) this.bundles.set(bundle.trustDomain, bundleFromMessage(bundle))
      for (const name of delta.removedTrustDomains) this.bundles.delete(name)
      this.#applied(delta.to, delta.digest)
    }
  }

  #applied(revision: number, digest: Buffer): void {
    this.revision = revision
    if (!this.digest.equals(digest)) throw new Error('the digest of the view is not the one that was sent')
    if (this.acknowledges) this.acknowledge()
  }
}
