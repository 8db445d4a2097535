import { BrokerScopes } from '../../../agent/broker/brokered-entitlements.ts'
import { type AllowedBroker, Brokers } from '../../../agent/broker/brokers.ts'
import type { ReferenceKind } from '../../../agent/broker/reference.ts'
import { GOOD_STANDING, type Standing } from '../../../agent/entries/standing.ts'
import { brokerAccess, brokerApi } from '../../../agent/rpc/broker.ts'
import { bundleSetOf, type BundleSet } from '../../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import type { Cryptography } from '../../../src/key/cryptography.ts'
import { silentLog, type Log } from '../../../src/log/log.ts'
import type { OpenProcess } from '../../../src/peer/open-process.ts'
import type { TestAuthority } from '../../../src/testing/test-authority.ts'
import type { Call, Connection } from '../../../src/wire/call.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import type { Handlers } from '../../../src/wire/implementation.ts'
import {
  type apiService,
  kubernetesObjectReferenceType,
  type WorkloadReference,
  workloadPidReferenceType,
} from '../../../src/wire/messages/spiffe-broker.ts'
import { tlsConnection } from '../../fakes/fake-call.ts'
import { AgentWorld, type AgentWorldOptions } from '../agent-world.ts'

type Served = Required<Handlers<typeof apiService>>

export const BROKER_ID = 'spiffe://example.org/gateway'

export const pidReference = (pid: number): WorkloadReference => ({
  reference: {
    type_url: 'type.googleapis.com/spiffe.broker.WorkloadPIDReference',
    value: encodeMessage(workloadPidReferenceType, { pid }),
  },
})

export const podReference: WorkloadReference = {
  reference: {
    type_url: 'type.googleapis.com/spiffe.broker.KubernetesObjectReference',
    value: encodeMessage(kubernetesObjectReferenceType, {
      type: { plural: 'pods', group: 'core' },
      uid: 'a1b2c3d4-e5f6-7890-abcd-ef1234567890',
    }),
  },
}

/** A process of the test: its user is what it is attested by. */
export class FakeProcess {
  readonly pid: number
  readonly uid: number
  readonly #exit = new AbortController()
  /** Handles to it that are open. */
  opened = 0

  constructor(pid: number, uid: number) {
    this.pid = pid
    this.uid = uid
  }

  exit(): void {
    this.#exit.abort(new SallyportError('PROCESS_REFUSED', 'has exited'))
  }

  /** A handle to it, as the kernel gives one: a closed one knows of nobody that lives. */
  open(): OpenProcess | undefined {
    const exited = this.#exit.signal
    if (exited.aborted) return undefined
    let isOpen = true
    this.opened += 1
    return {
      ...{ pid: this.pid, uid: this.uid, gid: 0, supplementaryGids: [], exited },
      isAlive: () => isOpen && !exited.aborted,
      [Symbol.dispose]: () => {
        if (isOpen) this.opened -= 1
        isOpen = false
      },
    }
  }
}

export interface BrokerWorldOptions extends AgentWorldOptions {
  readonly allow?: readonly AllowedBroker[]
  readonly callsPerBroker?: number
}

/** An agent with processes 1000, 1001, … of the users of the same numbers, and a broker that may refer to them. */
export class BrokerWorld implements AsyncDisposable {
  readonly world: AgentWorld
  readonly processes = new Map<number, FakeProcess>()
  readonly records: { readonly sentence: string; readonly fields: Readonly<Record<string, unknown>> }[] = []
  readonly brokers: Brokers
  readonly served: Served
  /** Whom the agent knows, beside those whom its entries federate with. */
  bundles: BundleSet
  isInSync = true
  /** Called when a process is looked at. */
  onAttest: () => void = () => undefined
  /** Signatures of certificates of brokers that were looked at. */
  verifications = 0
  /** What lifecycle says of brokers. */
  standing: Standing = GOOD_STANDING
  #authority: TestAuthority

  private constructor(world: AgentWorld, options: BrokerWorldOptions) {
    const may: readonly ReferenceKind[] = ['pid', 'kubernetes']
    const { allow = [{ id: SpiffeId.parse(BROKER_ID), references: may }], callsPerBroker = 100 } = options
    this.world = world
    this.#authority = world.upstream.authority
    this.bundles = bundleSetOf([world.upstream.authority.bundle()])
    for (const pid of [1000, 1001]) this.processes.set(pid, new FakeProcess(pid, pid))
    const { clock } = world
    const verify: Cryptography['verify'] = (...given) => {
      this.verifications += 1
      return world.cryptography.verify(...given)
    }
    const cryptography = { ...world.cryptography, verify }
    const log = recording(this.records)
    const isInSync = () => this.isInSync
    this.brokers = new Brokers({ allow, entitlements: this, isInSync, clock, cryptography, log, callsPerBroker })
    const { x509Svids, jwtSvids, callers } = world
    this.served = brokerApi({
      ...{ brokers: this.brokers, x509Svids, jwtSvids, callers, clock, log },
      scopes: new BrokerScopes(world.entitlements),
      openProcess: (pid) => this.processes.get(pid)?.open(),
      attest: async (peer) => {
        this.onAttest()
        if (world.attestFailure !== undefined) throw world.attestFailure
        return world.selectors.get(peer.uid) ?? [{ type: 'unix', value: `uid:${peer.uid}` }]
      },
    }).handlers as unknown as Served
  }

  static async create(options: BrokerWorldOptions = {}): Promise<BrokerWorld> {
    return new BrokerWorld(await AgentWorld.create(options), options)
  }

  /** A connection of a broker with an SVID of its own. */
  async connection({ path = '/gateway', authority = this.#authority, ttlMs = 3_600_000 } = {}): Promise<Connection> {
    const now = this.world.clock.now().getTime()
    const life = { notBefore: new Date(now - 10_000), notAfter: new Date(now + ttlMs) }
    const { chain } = await authority.issue(path, life)
    return tlsConnection(chain)
  }

  async call(options: BrokerCall = {}): Promise<Call> {
    const header = 'header' in options ? options.header : ['true']
    return {
      connection: options.connection ?? (await this.connection()),
      metadata: new Map(header === undefined ? [] : [['broker.spiffe.io', header]]),
      signal: options.signal ?? new AbortController().signal,
      requestId: 'r1',
      method: '/spiffe.broker.API/X',
    }
  }

  admit(call: Call): Promise<void> {
    return brokerAccess(this.brokers)(call)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]()
  }
}

export interface BrokerCall {
  readonly connection?: Connection
  readonly header?: readonly string[] | undefined
  readonly signal?: AbortSignal
}

/** A log that a test reads. */
function recording(records: BrokerWorld['records']): Log {
  const write = (fields: object, sentence: string): void =>
    void records.push({ sentence, fields: fields as Readonly<Record<string, unknown>> })
  return { ...silentLog, info: write, warn: write }
}
