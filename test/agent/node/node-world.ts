import { Entitlements } from '../../../agent/entries/entitlements.ts'
import { Node, type NodeDeps } from '../../../agent/node/node.ts'
import { NodeStatus } from '../../../agent/node/node-status.ts'
import { SavedState } from '../../../agent/node/saved-state.ts'
import { PolicyHolder } from '../../../agent/policy/policy-holder.ts'
import { SavedPolicy } from '../../../agent/policy/saved-policy.ts'
import { View } from '../../../agent/node/view.ts'
import type { LinkIdentity } from '../../../agent/upstream/server-link.ts'
import { TrustedClock } from '../../../agent/upstream/trusted-clock.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { silentLog, type Log } from '../../../src/log/log.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { FakeUpstream } from '../../fakes/fake-upstream.ts'
import { MemoryDisk } from '../../fakes/memory-disk.ts'
import { until } from '../../fakes/until.ts'

export interface NodeWorldOptions {
  readonly token?: string | undefined
  readonly serverKind?: NodeDeps['serverKind']
  readonly x509pop?: NodeDeps['proofs']['x509pop']
  /** Of an earlier life of the same node. */
  readonly clock?: FakeClock
  readonly upstream?: FakeUpstream
  readonly disk?: MemoryDisk
}

/** A node with a server and a disk that a test commands. */
export class NodeWorld implements AsyncDisposable {
  readonly clock: FakeClock
  readonly upstream: FakeUpstream
  readonly disk: MemoryDisk
  readonly entitlements: Entitlements
  readonly status = new NodeStatus()
  readonly node: Node
  readonly policy: PolicyHolder
  readonly trusted: TrustedClock
  /** Identities that the connection has used, in order; undefined: none. */
  readonly links: (LinkIdentity | undefined)[] = []
  readonly logged: { readonly level: string; readonly sentence: string }[] = []
  token: string | undefined
  clockJumps = 0
  readonly #stop = new AbortController()
  #running: Promise<unknown> | undefined
  #answered = 0

  private constructor(clock: FakeClock, upstream: FakeUpstream, options: NodeWorldOptions) {
    this.clock = clock
    this.upstream = upstream
    this.disk = options.disk ?? new MemoryDisk()
    this.#answered = upstream.streams.length
    this.token = 'token' in options ? options.token : 't0ken'
    this.trusted = new TrustedClock(clock)
    const { trustDomain } = upstream.authority
    this.entitlements = new Entitlements(trustDomain)
    const saved = new SavedState(this.disk, '/data')
    this.policy = new PolicyHolder({
      ...{ trustDomain: trustDomain.name, cryptography, clock: this.trusted, log: this.#log(), heartbeatMs: 5000 },
      ...{ entitlements: this.entitlements, agentId: () => this.node.identity?.spiffeId.toString() },
      saved: new SavedPolicy(this.disk, '/data'),
    })
    this.node = new Node({
      ...{ trustDomain, upstream, saved, cryptography, status: this.status, clock: this.trusted },
      log: this.#log(),
      serverAddress: 'server:8081',
      link: { use: (identity) => this.links.push(identity) },
      holdings: this.entitlements,
      view: new View(this.entitlements, saved, this.trusted),
      policy: this.policy,
      random: (bytes) => Buffer.alloc(bytes, 128),
      proofs: { token: async () => this.token, x509pop: options.x509pop },
      serverKind: options.serverKind ?? 'auto',
      heartbeatMs: 5000,
      pollMs: 5000,
      bootstrapBundle: async () => upstream.bundle,
      onConnected: () => undefined,
      onClockJump: () => this.clockJumps++,
    })
  }

  /** A node as it is when its process starts. */
  static async start(options: NodeWorldOptions = {}): Promise<NodeWorld> {
    const clock = options.clock ?? new FakeClock()
    const world = new NodeWorld(clock, options.upstream ?? (await FakeUpstream.create(clock)), options)
    await world.node.restore()
    world.#running = world.node.run(world.#stop.signal).catch(() => undefined)
    return world
  }

  /** A node that has joined and holds what the server says. */
  static async inSync(options: NodeWorldOptions = {}): Promise<NodeWorld> {
    const world = await NodeWorld.start(options)
    await world.followed()
    return world
  }

  /** Waits for a new push stream, and answers it with everything. */
  async followed(): Promise<void> {
    await this.passUntil(() => this.upstream.streams.length > this.#answered && this.upstream.stream.isOpen)
    this.#answered = this.upstream.streams.length
    this.upstream.stream.push(this.upstream.snapshot())
    await until(() => this.status.isInSync, 'sync')
  }

  /** Waits until the server has been told that everything up to its revision is safe. */
  async acknowledged(): Promise<void> {
    await until(() => this.upstream.stream.acks.at(-1)?.revision === this.upstream.revision, 'an acknowledgement')
  }

  /** Lets time pass in small steps until this has come true, for at most this long. */
  async passUntil(condition: () => boolean, limitMs = 600_000): Promise<void> {
    const endMs = this.clock.monotonicMs() + limitMs
    while (!condition()) {
      if (this.clock.monotonicMs() >= endMs) throw new Error('it did not come true in time')
      await this.clock.advance(250)
    }
  }

  /** The process dies; the disk stays as it is. */
  async kill(): Promise<void> {
    this.#stop.abort(new Error('killed'))
    await this.#running
  }

  /** The next process on the same node. */
  async restart(options: NodeWorldOptions = {}): Promise<NodeWorld> {
    await this.kill()
    const { clock, upstream, disk, token } = this
    return NodeWorld.start({ clock, upstream, disk, token, ...options })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }

  #log(): Log {
    const note = (level: string) => (_fields: object, sentence: string) => void this.logged.push({ level, sentence })
    const log: Log = {
      ...silentLog,
      debug: note('debug'),
      info: note('info'),
      warn: note('warn'),
      error: note('error'),
      child: () => log,
    }
    return log
  }
}
