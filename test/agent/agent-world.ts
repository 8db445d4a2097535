import { Entitlements } from '../../agent/entries/entitlements.ts'
import { NodeStatus } from '../../agent/node/node-status.ts'
import { Callers } from '../../agent/rpc/callers.ts'
import { PolicyHolder } from '../../agent/policy/policy-holder.ts'
import { SavedPolicy } from '../../agent/policy/saved-policy.ts'
import { JwtSvidCache } from '../../agent/svids/jwt-svid-cache.ts'
import { WitSvidCache } from '../../agent/svids/wit-svid-cache.ts'
import { X509SvidCache } from '../../agent/svids/x509-svid-cache.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { parseSelector, type Selector } from '../../src/entry/selector.ts'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import { silentLog } from '../../src/log/log.ts'
import type { Peer } from '../../src/peer/peer.ts'
import type { Bundle } from '../../src/bundle/bundle.ts'
import { MemoryDisk } from '../fakes/memory-disk.ts'
import { FakeClock } from '../fakes/fake-clock.ts'
import { FakeUpstream } from '../fakes/fake-upstream.ts'

export interface AgentWorldOptions {
  readonly size?: number
  readonly holdMs?: number
  readonly heldCallersPerUid?: number
  readonly jwtSize?: number
  readonly jwtSizePerUid?: number
  readonly jwtSigningPerUid?: number
  /** Whether WIT-SVIDs are turned on, at the agent and at its server. */
  readonly wit?: boolean
  /** A server that lives on from another world. */
  readonly upstream?: FakeUpstream
  readonly random?: (bytes: number) => Buffer
}

export const AGENT_ID = 'spiffe://example.org/agent/1'

/** Everything of an agent between its server and its sockets, with a server that a test commands. */
export class AgentWorld implements AsyncDisposable {
  readonly clock: FakeClock
  readonly upstream: FakeUpstream
  readonly entitlements: Entitlements
  readonly x509Svids: X509SvidCache
  readonly jwtSvids: JwtSvidCache
  readonly witSvids: WitSvidCache
  readonly wit: boolean
  readonly status = new NodeStatus()
  readonly callers: Callers
  readonly policy: PolicyHolder
  readonly log = silentLog
  readonly cryptography = cryptography
  /** What the attestor finds for a uid; further selectors by uid. */
  readonly selectors = new Map<number, readonly Selector[]>()
  attestFailure: Error | undefined
  callerFailure: Error | undefined
  readonly #disk = new MemoryDisk()
  readonly #stop = new AbortController()
  readonly #running: Promise<unknown>

  private constructor(clock: FakeClock, upstream: FakeUpstream, options: AgentWorldOptions) {
    const { size = 1000, holdMs = 5000, heldCallersPerUid = 64, jwtSize = 1000, jwtSizePerUid = 500 } = options
    this.clock = clock
    this.upstream = upstream
    this.entitlements = new Entitlements(upstream.authority.trustDomain)
    this.status.set('in-sync')
    const { entitlements } = this
    const random = options.random ?? ((bytes: number) => Buffer.alloc(bytes, 128))
    this.x509Svids = new X509SvidCache({
      ...{ entitlements, upstream, clock, cryptography, random, size, log: silentLog },
      isConnected: () => this.status.isInSync,
      keyType: 'ec-p256',
      keyPoolSize: 0,
    })
    this.wit = options.wit ?? false
    this.witSvids = new WitSvidCache({
      ...{ entitlements, upstream, clock, cryptography, random, log: silentLog },
      isConnected: () => this.status.isInSync,
      keyType: 'ec-p256',
      keyPoolSize: 0,
    })
    if (this.wit) upstream.bundle = upstream.bundleWith([upstream.authority], ['jwt-1'], 1, ['wit-1'])
    this.jwtSvids = new JwtSvidCache({
      ...{ entitlements, upstream, clock, cryptography, size: jwtSize, sizePerUid: jwtSizePerUid },
    })
    this.policy = this.restartedPolicy()
    this.callers = new Callers({
      ...{ clock, status: this.status, holdMs },
      attest: async (peer: Peer) => {
        if (this.attestFailure !== undefined) throw this.attestFailure
        return this.selectors.get(peer.uid) ?? [parseSelector(`unix:uid:${peer.uid}`)]
      },
      checkSameExecutable: () => {
        if (this.callerFailure !== undefined) throw this.callerFailure
      },
      limits: { heldCallersPerUid, jwtSigningPerUid: options.jwtSigningPerUid ?? 256 },
    })
    // Ends with the world; the reason is that it ends.
    const { signal } = this.#stop
    this.#running = Promise.allSettled([this.x509Svids.run(signal), this.witSvids.run(signal)])
  }

  static async create(options: AgentWorldOptions = {}): Promise<AgentWorld> {
    const clock = new FakeClock()
    return new AgentWorld(clock, options.upstream ?? (await FakeUpstream.create(clock)), options)
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** What an agent has of policy that begins with what this one has saved. */
  restartedPolicy(): PolicyHolder {
    const { entitlements, clock, upstream } = this
    return new PolicyHolder({
      ...{ trustDomain: upstream.authority.trustDomain.name, entitlements, clock, cryptography, log: silentLog },
      ...{ agentId: () => AGENT_ID, heartbeatMs: 5000 },
      saved: new SavedPolicy(this.#disk, '/data'),
    })
  }

  /** Server and agent know of these entries, and of nothing else. */
  hold(entries: readonly RegistrationEntry[], bundles: readonly Bundle[] = []): void {
    this.upstream.entries.clear()
    for (const entry of entries) this.upstream.entries.set(entry.id, entry)
    for (const bundle of bundles) this.upstream.foreign.set(bundle.trustDomain.name, bundle)
    this.entitlements.replace(entries, [this.upstream.bundle, ...this.upstream.foreign.values()])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the world ends'))
    await this.#running
  }
}
