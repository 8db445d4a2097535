import { randomBytes } from 'node:crypto'
import type { Bundle } from '../../../src/bundle/bundle.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { silentLog } from '../../../src/log/log.ts'
import { spkiOf } from '../../../src/x509/spki.ts'
import { type Authorities, openAuthorities } from '../../../server/authority/authorities.ts'
import type { AuthorityConfig } from '../../../server/authority/authority-config.ts'
import { createIssuer, type Issuer } from '../../../server/authority/issuer.ts'
import type { IssuerConfig } from '../../../server/authority/issuer-deps.ts'
import type { WitOrder } from '../../../server/authority/issue-wit-svid.ts'
import type { X509Order } from '../../../server/authority/x509-svid-template.ts'
import { openGate, type IssuanceGate } from '../../../server/policy/issuance-gate.ts'
import type { AuditEvent } from '../../../server/audit/record.ts'
import type { KeyStore } from '../../../server/keys/key-store.ts'
import { memoryKeyStore } from '../../../server/keys/memory-key-store.ts'
import { MemoryStore, type MemoryStoreOptions } from '../../fakes/memory-store.ts'
import { ManualClock } from './manual-clock.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export const trustDomain = TrustDomain.parse('example.org')
export const workload = SpiffeId.parse('spiffe://example.org/ns/web/sa/storefront')
export const agentId = SpiffeId.parse('spiffe://example.org/spire/agent/join_token/one')

const weekly: AuthorityConfig = {
  x509: { keyType: 'ec-p256', ttlSeconds: (7 * DAY) / 1000, subject: { country: 'US', organization: 'SPIFFE' } },
  jwt: { keyType: 'ec-p256', ttlSeconds: (7 * DAY) / 1000 },
  longestX509SvidSeconds: 3600,
  longestJwtSvidSeconds: 300,
  refreshHintSeconds: 300,
  clockSettleSeconds: 900,
}

export const issuerConfig: IssuerConfig = {
  trustDomain,
  x509TtlSeconds: 3600,
  agentTtlSeconds: 3600,
  jwtTtlSeconds: 300,
  witTtlSeconds: 3600,
  caTtlSeconds: (7 * DAY) / 1000,
}

/** What turns WIT-SVIDs on. */
export const withWit = {
  wit: { keyType: 'ec-p256', ttlSeconds: (7 * DAY) / 1000, longestSvidSeconds: 3600 },
} as const satisfies Partial<AuthorityConfig>

export interface WorldOptions {
  readonly config?: Partial<AuthorityConfig>
  readonly issuer?: Partial<IssuerConfig>
  readonly serverId?: string
  readonly keys?: KeyStore
  readonly store?: MemoryStore
  readonly clock?: ManualClock
}

/** A server's authorities and issuer with everything around them in memory. */
export class AuthorityWorld {
  readonly clock: ManualClock
  readonly keys: KeyStore
  readonly config: AuthorityConfig
  readonly #options: WorldOptions
  /** What policy says; a test may say otherwise at any time. */
  gate: IssuanceGate = openGate
  readonly storeOptions: MemoryStoreOptions = {}
  store: MemoryStore
  authorities!: Authorities
  issuer!: Issuer
  /** Revisions that live agents have acknowledged, by id. */
  readonly acknowledged = new Map<string, number>()

  constructor(options: WorldOptions = {}) {
    this.#options = options
    this.clock = options.clock ?? new ManualClock(new Date('2026-11-23T12:00:00Z'))
    this.keys = options.keys ?? memoryKeyStore(cryptography)
    this.config = { ...weekly, ...options.config }
    this.store = options.store ?? new MemoryStore(this.storeOptions)
  }

  static async open(options: WorldOptions = {}): Promise<AuthorityWorld> {
    const world = new AuthorityWorld(options)
    await world.start()
    return world
  }

  async start(): Promise<void> {
    const { store, keys, clock, config } = this
    this.authorities = await openAuthorities({
      trustDomain,
      serverId: this.#options.serverId ?? 'server-1',
      store,
      keys,
      clock,
      config,
      ...quiet,
      acknowledgements: { missing: (revision) => this.missing(revision) },
    })
    this.issuer = createIssuer({
      authorities: this.authorities,
      store,
      clock,
      cryptography,
      random: randomBytes,
      gate: {
        refusal: (...order) => this.gate.refusal(...order),
        x509TtlSeconds: (id) => this.gate.x509TtlSeconds(id),
        audienceRefusal: (...order) => this.gate.audienceRefusal(...order),
      },
      config: { ...issuerConfig, ...this.#options.issuer },
    })
  }

  /** The process is killed and started again: the store and the keys are what is left. */
  async restart(): Promise<void> {
    this.store = this.store.reopened(this.storeOptions)
    await this.start()
  }

  missing(revision: number): SpiffeId[] {
    return [...this.acknowledged]
      .filter(([, seen]) => seen < revision)
      .map(([path]) => SpiffeId.of(trustDomain, `/spire/agent/${path}`))
  }

  acknowledgeAll(): void {
    for (const agent of this.acknowledged.keys()) this.acknowledged.set(agent, this.store.revision)
  }

  /** Time passes and the rotation looks, as its loop does. */
  async pass(ms: number, everyMs: number = ms): Promise<void> {
    for (let left = ms; left > 0; left -= everyMs) {
      this.clock.advance(Math.min(everyMs, left))
      await this.authorities.rotate()
    }
  }

  /** Past the time for which nothing is removed after a start or a jump. */
  async settle(): Promise<void> {
    await this.pass(this.config.clockSettleSeconds * SECOND)
  }

  async storedBundle(): Promise<Bundle | undefined> {
    return (await this.store.snapshot()).bundles.find((bundle) => bundle.trustDomain.equals(trustDomain))
  }

  stateOf(authorityId: string): string | undefined {
    return this.authorities.status().find((one) => one.authorityId === authorityId)?.state
  }

  /** The one of a kind in a state. */
  in(state: string, kind = 'x509'): string | undefined {
    return this.authorities.status().find((one) => one.kind === kind && one.state === state)?.authorityId
  }

  async audit(type?: string): Promise<readonly { type: string; facts: AuditEvent['facts'] }[]> {
    const found = []
    for await (const record of this.store.audit(type === undefined ? {} : { type })) {
      found.push({ type: record.type, facts: JSON.parse(record.facts) as AuditEvent['facts'] })
    }
    return found
  }
}

/** The parts of a server that say nothing in tests. */
export const quiet = { log: silentLog, random: randomBytes } as const

const pair = await cryptography.generateKeyPair('ec-p256')
export const workloadSpki = spkiOf(pair.publicKey)

/** An order for a WIT-SVID of the same workload, with the same key. */
export const witOrderOf = (order: Partial<WitOrder> = {}): WitOrder => ({
  spiffeId: workload,
  publicKey: pair.publicKey,
  algorithm: 'ES256',
  entryId: 'entry-1',
  agentId,
  ...order,
})

/** An order for a workload, with a key that serves all tests. */
export const orderOf = (order: Partial<X509Order> = {}): X509Order => ({
  spiffeId: workload,
  publicKey: pair.publicKey,
  spki: workloadSpki,
  entryId: 'entry-1',
  agentId,
  ...order,
})
