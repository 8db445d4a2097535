import { type Bundle, bundleOf } from '../../src/bundle/bundle.ts'
import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { ViewDigest } from '../../src/entry/view-digest.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { signJws } from '../../src/jws/sign-jws.ts'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import type { DecisionBatch, PolicyAck } from '../../src/wire/messages/sallyport-sync-v1.ts'
import { decodeCsr, verifyCsr } from '../../src/x509/csr.ts'
import { publicKeyOfSpki } from '../../src/x509/spki.ts'
import type { Attestation } from '../../agent/upstream/attestation.ts'
import type { Follow, FollowOptions, PushedDelta, PushedState } from '../../agent/upstream/follow.ts'
import type { VerifiedHeartbeat } from '../../agent/upstream/heartbeats.ts'
import { Outbox } from '../../agent/upstream/outbox.ts'
import type {
  AgentSvidReply,
  PolledState,
  SignedJwtSvid,
  Upstream,
  WitSvidOrder,
  WitSvidResult,
  X509SvidOrder,
  X509SvidResult,
} from '../../agent/upstream/upstream.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { changes } from './changes.ts'

export interface FakeStream {
  readonly isOpen: boolean
  readonly hello: FollowOptions
  readonly acks: { readonly revision: number; readonly digest: Buffer }[]
  readonly policyAcks: PolicyAck[]
  push(state: PushedState): void
  fail(error: Error): void
}

/** A server as an agent sees it: signs for real, pushes what a test tells it to, and fails when a test says so. */
export class FakeUpstream implements Upstream {
  readonly authority: TestAuthority
  readonly entries = new Map<string, RegistrationEntry>()
  readonly foreign = new Map<string, Bundle>()
  readonly decisions: DecisionBatch[] = []
  readonly streams: FakeStream[] = []
  readonly attested: { readonly type: string; readonly payload: Buffer }[] = []
  readonly signed: string[] = []
  readonly #clock: Clock
  #bundle: Bundle
  revision = 1
  batches = 0
  jwts = 0
  renewals = 0
  polls = 0
  /** Set: every call fails with it. */
  failure: Error | undefined
  /** Set: attestations of this type fail with it. */
  readonly refuses = new Map<string, Error>()
  /** Set: the push stream is answered so. */
  followFailure: Error | undefined
  ttlSeconds = 3600
  jwtTtlSeconds = 300
  agentId = SpiffeId.parse('spiffe://example.org/spire/agent/join_token/abc')
  reattestable = false
  /** Signs JWT-SVIDs with a key that is not in the bundle until it is told. */
  jwtKeyId = 'jwt-1'
  /** As {@link jwtKeyId}, for WIT-SVIDs. */
  witKeyId = 'wit-1'
  /** By entry: what its WIT-SVIDs say instead. */
  readonly witClaims = new Map<string, object>()
  witOrders: WitSvidOrder[] = []
  entriesRefused = new Map<string, Error>()

  private constructor(authority: TestAuthority, clock: Clock) {
    this.authority = authority
    this.#clock = clock
    this.#bundle = this.bundleWith([authority], ['jwt-1'], 1)
  }

  static async create(clock: Clock): Promise<FakeUpstream> {
    return new FakeUpstream(await TestAuthority.create({ now: clock.now() }), clock)
  }

  get bundle(): Bundle {
    return this.#bundle
  }

  set bundle(bundle: Bundle) {
    this.#bundle = bundle
  }

  bundleWith(
    authorities: readonly (TestAuthority | { readonly authority: TestAuthority; readonly tainted: boolean })[],
    keyIds: readonly string[],
    sequenceNumber: number,
    witKeyIds: readonly string[] = [],
  ): Bundle {
    const tokenKeys = (ids: readonly string[]) =>
      ids.map((keyId) => ({
        keyId,
        publicKey: this.authority.keyPair.publicKey,
        expiresAt: undefined,
        tainted: false,
      }))
    return bundleOf({
      trustDomain: this.authority.trustDomain,
      x509Authorities: authorities.map((one) =>
        one instanceof TestAuthority
          ? { certificate: one.certificate, tainted: false }
          : { certificate: one.authority.certificate, tainted: one.tainted },
      ),
      jwtAuthorities: tokenKeys(keyIds),
      witAuthorities: tokenKeys(witKeyIds),
      sequenceNumber,
    })
  }

  get stream(): FakeStream {
    const stream = this.streams.at(-1)
    if (stream === undefined) throw new Error('no stream was opened')
    return stream
  }

  snapshot(fields: Partial<Extract<PushedState, { kind: 'snapshot' }>> = {}): PushedState {
    const entries = [...this.entries.values()]
    const bundles = [this.bundle, ...this.foreign.values()]
    const digest = ViewDigest.of(entries, bundles).bytes
    return { kind: 'snapshot', revision: this.revision, epoch: 'e1', entries, bundles, digest, ...fields }
  }

  /** Registers entries, removes others, and pushes that as a delta. */
  change(put: readonly RegistrationEntry[], removed: readonly string[] = [], bundles: readonly Bundle[] = []): void {
    for (const id of removed) this.entries.delete(id)
    for (const entry of put) this.entries.set(entry.id, entry)
    for (const bundle of bundles) {
      if (bundle.trustDomain.equals(this.authority.trustDomain)) this.bundle = bundle
      else this.foreign.set(bundle.trustDomain.name, bundle)
    }
    const from = this.revision++
    this.streams.at(-1)?.push(this.delta({ from, entries: put, removedEntryIds: removed, bundles }))
  }

  delta(fields: Partial<PushedDelta> & { readonly from: number }): PushedDelta {
    const digest = ViewDigest.of(this.entries.values(), [this.bundle, ...this.foreign.values()]).bytes
    return {
      kind: 'delta',
      to: this.revision,
      ...changes({}),
      digest,
      ...fields,
    }
  }

  heartbeat(fields: Partial<VerifiedHeartbeat> = {}): PushedState {
    return {
      kind: 'heartbeat',
      epoch: 'e1',
      revision: this.revision,
      serverTime: this.#clock.now(),
      keyId: 'k1',
      checkpoint: undefined,
      ...{ policyEpoch: 0, policyRevision: 0, fastLaneSequence: 0, isFresh: true, ...fields },
    }
  }

  async attest({ type, payload, answer }: Attestation, csr: Buffer): Promise<AgentSvidReply> {
    this.#check()
    this.attested.push({ type, payload })
    const refusal = this.refuses.get(type)
    if (refusal !== undefined) throw refusal
    if (type === 'sallyport_rejoin') {
      await answer(Buffer.from(JSON.stringify({ nonce: Buffer.alloc(32, 7).toString('base64') })))
    }
    return this.#agentSvid(csr)
  }

  async renew(csr: Buffer): Promise<AgentSvidReply> {
    this.#check()
    this.renewals++
    return this.#agentSvid(csr)
  }

  async signX509Svids(orders: readonly X509SvidOrder[]): Promise<readonly X509SvidResult[]> {
    this.#check()
    this.batches++
    return Promise.all(orders.map((order) => this.#signOne(order)))
  }

  async signJwtSvid(entryId: string, audience: readonly string[]): Promise<SignedJwtSvid> {
    this.#check()
    this.jwts++
    const entry = this.entries.get(entryId)
    if (entry === undefined) throw new SallyportError('ENTRY_NOT_FOUND', `no entry ${entryId}`)
    const iat = Math.floor(this.#clock.now().getTime() / 1000)
    const exp = iat + this.jwtTtlSeconds
    const payload = { sub: entry.spiffeId.toString(), aud: audience, iat, exp, jti: String(this.jwts) }
    const token = await signJws({ kid: this.jwtKeyId, typ: 'JWT' }, payload, this.authority.signer, 'ES256')
    return { token, issuedAt: new Date(iat * 1000), expiresAt: new Date(exp * 1000) }
  }

  async signWitSvids(orders: readonly WitSvidOrder[]): Promise<readonly WitSvidResult[]> {
    this.#check()
    this.witOrders.push(...orders)
    return Promise.all(orders.map((order) => this.#signWit(order)))
  }

  async fetchBundle(): Promise<Bundle> {
    this.#check()
    return this.bundle
  }

  async fetchFederatedBundle(trustDomain: TrustDomain): Promise<Bundle | undefined> {
    return this.foreign.get(trustDomain.name)
  }

  async poll(): Promise<PolledState> {
    this.polls++
    this.#check()
    return { entries: [...this.entries.values()], bundles: [this.bundle, ...this.foreign.values()] }
  }

  async reportDecisions(batch: DecisionBatch): Promise<void> {
    this.#check()
    this.decisions.push(batch)
  }

  follow(hello: FollowOptions, signal: AbortSignal): Follow {
    const states = new Outbox<PushedState>()
    const acks: { revision: number; digest: Buffer }[] = []
    const policyAcks: PolicyAck[] = []
    let failure = this.failure ?? this.followFailure
    const stream: FakeStream = {
      get isOpen() {
        return failure === undefined
      },
      hello,
      acks,
      policyAcks,
      push: (state) => states.push(state),
      fail: (error) => {
        failure = error
        states.end()
      },
    }
    this.streams.push(stream)
    if (failure !== undefined) states.end()
    signal.addEventListener('abort', () => stream.fail(signal.reason as Error), { once: true })
    return {
      states: (async function* () {
        yield* states
        throw failure ?? new Error('the stream ended')
      })(),
      acknowledge: (revision, digest) => acks.push({ revision, digest }),
      acknowledgePolicy: (ack) => policyAcks.push(ack),
    }
  }

  async #signOne({ entryId, csr: der }: X509SvidOrder): Promise<X509SvidResult> {
    const refused = this.entriesRefused.get(entryId)
    const entry = this.entries.get(entryId)
    if (refused !== undefined || entry === undefined) return { refused: refused ?? new Error(`no entry ${entryId}`) }
    const csr = decodeCsr(der)
    await verifyCsr(csr, cryptography)
    this.signed.push(entryId)
    const ttl = entry.x509TtlSeconds === 0 ? this.ttlSeconds : entry.x509TtlSeconds
    return { chain: [await this.#certificate(entry.spiffeId, csr, ttl)] }
  }

  async #signWit({ entryId, publicKey, signingAlgorithm }: WitSvidOrder): Promise<WitSvidResult> {
    const refused = this.entriesRefused.get(entryId)
    const entry = this.entries.get(entryId)
    if (refused !== undefined || entry === undefined) return { refused: refused ?? new Error(`no entry ${entryId}`) }
    const iat = Math.floor(this.#clock.now().getTime() / 1000)
    const ttl = entry.x509TtlSeconds === 0 ? this.ttlSeconds : entry.x509TtlSeconds
    const key = publicKeyOfSpki(publicKey).export({ format: 'jwk' })
    const cnf = { jwk: { ...key, alg: signingAlgorithm } }
    const claims = { sub: entry.spiffeId.toString(), iat, exp: iat + ttl, cnf, ...this.witClaims.get(entryId) }
    return { token: await signJws({ kid: this.witKeyId, typ: 'wit+jwt' }, claims, this.authority.signer, 'ES256') }
  }

  async #agentSvid(der: Buffer): Promise<AgentSvidReply> {
    const csr = decodeCsr(der)
    await verifyCsr(csr, cryptography)
    const chain = [await this.#certificate(this.agentId, csr, this.ttlSeconds)]
    return { spiffeId: this.agentId, chain, reattestable: this.reattestable }
  }

  async #certificate(id: SpiffeId, csr: ReturnType<typeof decodeCsr>, ttlSeconds: number): Promise<Buffer> {
    const now = this.#clock.now().getTime()
    const certificate = await this.authority.sign(
      {
        uriSans: [id.toString()],
        notBefore: new Date(now - 10_000),
        notAfter: new Date(now + ttlSeconds * 1000),
      },
      // Only the public half of a workload's key is ever known here.
      { type: 'ec-p256', publicKey: csr.publicKey, privateKey: this.authority.keyPair.privateKey },
    )
    return certificate.der
  }

  #check(): void {
    if (this.failure !== undefined) throw this.failure
  }
}
