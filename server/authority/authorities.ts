import type { Bundle } from '../../src/bundle/bundle.ts'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { SignatureAlgorithm } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import type { Log } from '../../src/log/log.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import type { Name } from '../../src/x509/name.ts'
import { spkiOf, subjectKeyIdOf } from '../../src/x509/spki.ts'
import type { AuditEvent } from '../audit/record.ts'
import { isAuthoritySigner, type KeyStore, type StoredSigner } from '../keys/key-store.ts'
import type { AuthorityRow, Mutation, Store, StoreSnapshot } from '../store/store.ts'
import {
  type ActiveJwtAuthority,
  type ActiveX509Authority,
  type AuthorityStatus,
  jwtAlgorithmFor,
} from './active-authority.ts'
import type { BundleAcknowledgements } from './bundle-acknowledgements.ts'
import { ClockSteadiness } from './clock-steadiness.ts'
import { type AuthorityKind, makeAuthority } from './make-authority.ts'
import {
  type BundleContent,
  emptyBundle,
  isInBundle,
  publicDerOf,
  withAuthority,
  withoutAuthority,
  withoutExpired,
  withTaint,
} from './own-bundle.ts'
import { isValidAt, type Plan, planRotation, refreshHintFor, type Step } from './rotation.ts'

export interface AuthorityConfig {
  readonly x509: { readonly keyType: KeyType; readonly ttlSeconds: number; readonly subject: Name }
  readonly jwt: {
    readonly keyType: KeyType
    readonly ttlSeconds: number
    /** Chooses between RS256 (the default) and PS256 for RSA keys; EC keys have one algorithm each. */
    readonly algorithm?: SignatureAlgorithm | undefined
  }
  /** The longest lives that SVIDs have by default; authorities are replaced so long before their end. */
  readonly longestX509SvidSeconds: number
  readonly longestJwtSvidSeconds: number
  /** The most seconds between two looks of others at the bundle. */
  readonly refreshHintSeconds: number
  /** How long the wall clock must run evenly before anything is destroyed. */
  readonly clockSettleSeconds: number
}

export interface AuthoritiesDeps {
  readonly trustDomain: TrustDomain
  /** Names this server among several that share a store. */
  readonly serverId: string
  readonly store: Pick<Store, 'commit' | 'snapshot' | 'watch'>
  readonly keys: KeyStore
  readonly clock: Clock
  readonly random: (bytes: number) => Buffer
  readonly log: Log
  readonly acknowledgements: BundleAcknowledgements
  readonly config: AuthorityConfig
  /** Spares a second reading of the store at start. */
  readonly snapshot?: StoreSnapshot | undefined
}

export const authorityKinds: readonly AuthorityKind[] = ['x509', 'jwt']

/** Steps that one look at the rotation takes at most: more would be a fault of the plan. */
const STEPS_MAX = 8
/** How long what is done for ever is remembered in the journal. */
const REMOVED_STAYS_MS = 14 * 24 * 3_600_000
/** Signatures in flight may still use the key of an authority that has just become old. */
const KEY_STAYS_MS = 60_000
const LOOK_MIN_MS = 100
const LOOK_MAX_MS = 60_000
const RETRY_MS = 1000
const EDIT_ATTEMPTS = 5

/**
 * The signing authorities of one server and the bundle of its trust domain.
 *
 * prepared → published → active → old → removed. Every step is one transaction of journal and bundle, and only what the
 * store has confirmed changes what signs; so whatever crashes, what signs is in the bundle.
 */
export class Authorities {
  readonly #deps: AuthoritiesDeps
  readonly #steadiness: ClockSteadiness
  #rows: readonly AuthorityRow[] = []
  #othersSign = false
  #bundle: Bundle
  #revision = 0
  #signers = new Map<string, StoredSigner<KeyType>>()
  readonly #lastSvidEnds = new Map<string, number>()
  #activeX509: ActiveX509Authority | undefined
  #activeJwt: ActiveJwtAuthority | undefined
  /** True while what the store holds is not known: before the first reading, and after a commit without an answer. */
  #isStale = true
  #lane: Promise<unknown> = Promise.resolve()

  constructor(deps: AuthoritiesDeps) {
    this.#deps = deps
    this.#steadiness = new ClockSteadiness(deps.clock, deps.config.clockSettleSeconds * 1000)
    this.#bundle = emptyBundle(deps.trustDomain)
  }

  /**
   * The authority for X509-SVIDs.
   *
   * @throws {@link SallyportError} `NOT_READY` when there is none, `AUTHORITY_EXPIRED` when it is not valid now
   */
  activeX509(): ActiveX509Authority {
    return this.#checkMaySign(this.#activeX509, 'X509-SVIDs')
  }

  /** As {@link activeX509}, for JWT-SVIDs. */
  activeJwt(): ActiveJwtAuthority {
    return this.#checkMaySign(this.#activeJwt, 'JWT-SVIDs')
  }

  #checkMaySign<T extends ActiveJwtAuthority | ActiveX509Authority>(active: T | undefined, what: string): T {
    if (active === undefined)
      throw new SallyportError('NOT_READY', `Cannot sign ${what}: no authority is published yet`)
    if (isValidAt(active, this.#deps.clock.now())) return active
    throw new SallyportError(
      'AUTHORITY_EXPIRED',
      `Cannot sign ${what}: authority ${active.authorityId} is valid from ${active.notBefore.toISOString()} to ${active.notAfter.toISOString()}`,
    )
  }

  /** The trust domain's own bundle, as the store has confirmed it. */
  bundle(): Bundle {
    return this.#bundle
  }

  /** Whether this server's authority of that id is in the bundle: what it has signed may leave. */
  isPublished(kind: AuthorityKind, authorityId: string): boolean {
    const row = this.#row(kind, authorityId)
    return row !== undefined && isInBundle(this.#bundle, row)
  }

  /** Remembers how long the authority is needed to verify what it signs. */
  recordLife(authorityId: string, notAfter: Date): void {
    const known = this.#lastSvidEnds.get(authorityId)
    if (known === undefined || known < notAfter.getTime()) this.#lastSvidEnds.set(authorityId, notAfter.getTime())
  }

  status(): AuthorityStatus[] {
    return authorityKinds.flatMap((kind) => {
      const { waiting } = this.#plan(kind)
      return this.#rowsOf(kind)
        .filter(({ state }) => state !== 'removed')
        .map((row) => {
          const reason = waiting.find(({ authorityId }) => authorityId === row.authorityId)
          return {
            ...{
              kind,
              authorityId: row.authorityId,
              state: row.state,
              notBefore: row.notBefore,
              notAfter: row.notAfter,
            },
            ...{ tainted: row.tainted, keyType: row.keyType, waitingFor: reason?.for ?? '' },
            missingAgents: (reason?.missing ?? []).map(String),
          }
        })
    })
  }

  /** Reads the journal, continues what a crash interrupted, and makes the first authorities. */
  async open(snapshot?: StoreSnapshot): Promise<void> {
    await this.#exclusively(async () => {
      await this.#load(snapshot)
      for (const kind of authorityKinds) await this.#advance(kind)
    })
  }

  /** Looks whether anything is due and does it. Problems are logged, and tried again the next time. */
  async rotate(): Promise<void> {
    await this.#exclusively(async () => {
      const jumpMs = this.#steadiness.observe()
      if (jumpMs !== 0) this.#deps.log.warn({ jumpMs }, 'The wall clock jumped: nothing is removed until it is steady')
      for (const kind of authorityKinds) await this.#advance(kind)
      if (this.#steadiness.isSteady) await this.#tidy()
    }).catch((err: unknown) => {
      this.#deps.log.error({ err }, 'Cannot rotate authorities; trying again')
    })
  }

  /** Rotates when it is due and follows the bundle in the store, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#rotateUntil(signal), this.#followUntil(signal)])
  }

  async #rotateUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.rotate()
      await this.#sleep(this.#untilNextLookMs(), signal)
    }
  }

  #untilNextLookMs(): number {
    const nowMs = this.#deps.clock.now().getTime()
    const instants = authorityKinds.map((kind) => this.#plan(kind).again?.getTime() ?? nowMs + RETRY_MS)
    return Math.min(Math.max(Math.min(...instants) - nowMs, LOOK_MIN_MS), LOOK_MAX_MS)
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    await this.#deps.clock.sleep(ms, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }

  /** Others may change the bundle too: another server, or an administrator who appends to it. */
  async #followUntil(signal: AbortSignal): Promise<void> {
    const { store, trustDomain, log } = this.#deps
    while (!signal.aborted) {
      try {
        for await (const revisions of store.watch(this.#revision, signal)) {
          for (const { revision, changes } of revisions) {
            this.#revision = Math.max(this.#revision, revision)
            for (const change of changes) {
              if (change.kind === 'bundle' && change.trustDomain === trustDomain.name) this.#adopt(change.after)
            }
          }
        }
      } catch (err) {
        if (signal.aborted) return
        log.warn({ err }, 'Cannot follow the bundle; reading it again')
        this.#isStale = true
      }
      await this.#sleep(RETRY_MS, signal)
    }
  }

  #adopt(bundle: Bundle | undefined): void {
    if (bundle === undefined || bundle.sequenceNumber < this.#bundle.sequenceNumber) this.#isStale = true
    else this.#bundle = bundle
    this.#choose()
  }

  /** Makes a fresh authority and publishes it, in place of one that was prepared before. Returns its id. */
  async prepare(kind: AuthorityKind): Promise<string> {
    return await this.#exclusively(async () => {
      const row = await this.#make(kind)
      await this.#publish(row)
      return row.authorityId
    })
  }

  /**
   * Makes a prepared authority the one that signs, without waiting for agents.
   *
   * @throws {@link SallyportError} `AUTHORITY_NOT_FOUND`, `AUTHORITY_STATE`
   */
  async activate(kind: AuthorityKind, authorityId: string): Promise<void> {
    await this.#exclusively(async () => {
      const row = this.#rowIn(kind, authorityId, ['published'], 'activate')
      const missing = this.#deps.acknowledgements.missing(row.publishedRevision ?? this.#revision)
      await this.#activate(row, missing.map(String))
    })
  }

  /**
   * Marks an old authority as not to be trusted: whoever holds an SVID of it asks for a new one. Waits for nobody.
   *
   * @throws {@link SallyportError} `AUTHORITY_NOT_FOUND`, `AUTHORITY_STATE`
   */
  async taint(kind: AuthorityKind, authorityId: string): Promise<void> {
    await this.#exclusively(async () => {
      const row = { ...this.#rowIn(kind, authorityId, ['old'], 'taint'), tainted: true }
      await this.#commit([row], withTaint(this.#bundle, row), 'authority.tainted', row)
      this.#deps.log.warn({ kind, authorityId }, 'Tainted authority')
    })
  }

  /**
   * Takes an old authority out of the bundle at once: what it signed is refused everywhere. An X.509 authority must be tainted first.
   *
   * @throws {@link SallyportError} `AUTHORITY_NOT_FOUND`, `AUTHORITY_STATE`
   */
  async revoke(kind: AuthorityKind, authorityId: string): Promise<void> {
    await this.#exclusively(async () => {
      const row = this.#rowIn(kind, authorityId, ['old'], 'revoke')
      if (kind === 'x509' && !row.tainted) throw stateError('revoke', row, 'it is not tainted')
      const removed = this.#changed(row, 'removed')
      await this.#commit([removed], withoutAuthority(this.#bundle, row), 'authority.revoked', row)
      this.#deps.log.warn({ kind, authorityId }, 'Revoked authority')
      // It is revoked whether or not its key can be destroyed now; tidying up tries again.
      await this.#deps.keys.remove(row.keyName).catch((err: unknown) => {
        this.#deps.log.error({ kind, authorityId, err }, 'Cannot remove the key of a revoked authority')
      })
    })
  }

  /**
   * Changes the bundle in other ways, such as appending an authority from elsewhere. `edit` may run again when somebody else
   * changed it meanwhile.
   */
  async editBundle(edit: (bundle: Bundle) => Bundle, audit: readonly AuditEvent[]): Promise<Bundle> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#exclusively(async () => {
          const edited = edit(this.#bundle)
          if (edited !== this.#bundle) await this.#commitAll([], edited, audit)
          return this.#bundle
        })
      } catch (error) {
        const isRace = error instanceof SallyportError && error.code === 'CONCURRENT_CHANGE'
        if (!isRace || attempt === EDIT_ATTEMPTS) throw error
      }
    }
  }

  async #advance(kind: AuthorityKind): Promise<void> {
    for (let count = 0; count < STEPS_MAX; count++) {
      const { step } = this.#plan(kind)
      if (step === undefined) return
      await this.#perform(kind, step)
    }
  }

  async #perform(kind: AuthorityKind, step: Step): Promise<void> {
    switch (step.do) {
      case 'prepare':
        return void (await this.#make(kind))
      case 'publish':
        return await this.#publish(this.#need(kind, step.authorityId))
      case 'activate':
        return await this.#activate(this.#need(kind, step.authorityId), step.missing.map(String))
      case 'remove':
        return await this.#remove(step.authorityIds.map((id) => this.#need(kind, id)))
    }
  }

  #plan(kind: AuthorityKind): Plan {
    const { clock, config, acknowledgements } = this.#deps
    const now = clock.now()
    return planRotation({
      now,
      authorities: this.#rowsOf(kind).map((row) => ({
        row,
        hasKey: this.#signers.has(row.keyName),
        isInBundle: isInBundle(this.#bundle, row),
        lastSvidEnds: new Date(this.#lastSvidEnds.get(row.authorityId) ?? 0),
      })),
      longestSvidMs: this.#longestSvidMs(kind),
      refreshHintSeconds: this.#bundle.refreshHintSeconds || config.refreshHintSeconds,
      missing: (revision) => acknowledgements.missing(revision),
      mayRemove: this.#steadiness.isSteady,
      joinsOthers: this.#othersSign && !this.#rowsOf(kind).some(({ state }) => state === 'active' || state === 'old'),
    })
  }

  #longestSvidMs(kind: AuthorityKind): number {
    const { longestX509SvidSeconds, longestJwtSvidSeconds } = this.#deps.config
    return (kind === 'x509' ? longestX509SvidSeconds : longestJwtSvidSeconds) * 1000
  }

  async #make(kind: AuthorityKind): Promise<AuthorityRow> {
    const { trustDomain, serverId, config, log } = this.#deps
    const { keyType, ttlSeconds } = config[kind]
    const { subject } = config.x509
    const row = await makeAuthority(
      { kind, trustDomain, serverId, keyType, ttlMs: ttlSeconds * 1000, subject },
      this.#deps,
    )
    await this.#commit([row], this.#bundle, 'authority.prepared', row)
    await this.#loadSigner(row)
    log.info({ kind, authorityId: row.authorityId, expiresAt: row.notAfter }, 'Prepared authority')
    return row
  }

  /** Others that were waiting to sign never will: the newest takes their place. */
  async #publish(row: AuthorityRow): Promise<void> {
    const published = this.#changed(row, 'published')
    const replaced = this.#rowsOf(row.kind)
      .filter(({ state, authorityId }) => isWaiting(state) && authorityId !== row.authorityId)
      .map((other) => this.#changed(other, 'removed'))
    const bundle = replaced.reduce(withoutAuthority, withAuthority(this.#bundle, published))
    const revision = await this.#commit([published, ...replaced], bundle, 'authority.published', row)
    // Known only now. Without it, after a crash here, agents are compared with a later revision, which they reach as well.
    await this.#commitAll([{ ...published, publishedRevision: revision }], this.#bundle, [])
    this.#deps.log.info({ kind: row.kind, authorityId: row.authorityId, revision }, 'Published authority')
  }

  async #activate(row: AuthorityRow, missingAgents: readonly string[]): Promise<void> {
    const active = this.#changed(row, 'active')
    const old = this.#rowsOf(row.kind)
      .filter(({ state, authorityId }) => state === 'active' && authorityId !== row.authorityId)
      .map((other) => this.#changed(other, 'old'))
    const bundle = withAuthority(this.#bundle, active)
    // From here on everything that it signs is counted; nothing was signed before.
    this.recordLife(row.authorityId, this.#deps.clock.now())
    await this.#commit([active, ...old], bundle, 'authority.activated', row, missingAgents)
    const fields = { kind: row.kind, authorityId: row.authorityId, expiresAt: row.notAfter }
    if (missingAgents.length === 0) this.#deps.log.info(fields, 'Activated authority')
    else this.#deps.log.warn({ ...fields, missingAgents }, 'Activated authority before all agents have it')
  }

  async #remove(rows: readonly AuthorityRow[]): Promise<void> {
    for (const row of rows) {
      const bundle = withoutAuthority(this.#bundle, row)
      await this.#commit([this.#changed(row, 'removed')], bundle, 'authority.removed', row)
      this.#deps.log.info({ kind: row.kind, authorityId: row.authorityId }, 'Removed authority')
    }
  }

  /** Destroys keys that will never sign again, forgets what was removed long ago, and what in the bundle ended by itself. */
  async #tidy(): Promise<void> {
    const { clock, keys, serverId } = this.#deps
    const nowMs = clock.now().getTime()
    const needed = new Set(this.#rows.filter((row) => mayNeedKey(row, nowMs)).map(({ keyName }) => keyName))
    for (const name of await keys.names()) {
      if (!/^(x509|jwt)-[0-9a-f]{32}$/.test(name) || needed.has(name)) continue
      await keys.remove(name)
      this.#signers.delete(name)
    }
    const kept = this.#rows.filter(({ state }) => state !== 'removed')
    const bundle = withoutExpired(this.#bundle, kept, clock.now())
    const forgotten = this.#rows.filter(
      ({ state, changedAt }) => state === 'removed' && changedAt.getTime() < nowMs - REMOVED_STAYS_MS,
    )
    if (forgotten.length === 0 && bundle === this.#bundle) return
    const deletions = forgotten.map(({ kind, authorityId }): Mutation => ({
      kind: 'authority.delete',
      serverId,
      authorityKind: kind,
      authorityId,
    }))
    await this.#commitAll([], bundle, [], deletions)
  }

  #rowsOf(kind: AuthorityKind): readonly AuthorityRow[] {
    return this.#rows.filter((row) => row.kind === kind)
  }

  #row(kind: AuthorityKind, authorityId: string): AuthorityRow | undefined {
    return this.#rows.find((row) => row.kind === kind && row.authorityId === authorityId && row.state !== 'removed')
  }

  #need(kind: AuthorityKind, authorityId: string): AuthorityRow {
    const row = this.#row(kind, authorityId)
    if (row !== undefined) return row
    throw new SallyportError('AUTHORITY_NOT_FOUND', `Cannot find ${kind} authority ${authorityId.slice(0, 100)}`)
  }

  #rowIn(kind: AuthorityKind, authorityId: string, states: AuthorityRow['state'][], verb: string): AuthorityRow {
    const row = this.#need(kind, authorityId)
    if (states.includes(row.state)) return row
    throw stateError(verb, row, `it is ${row.state}, not ${states.join(' or ')}`)
  }

  #changed(row: AuthorityRow, state: AuthorityRow['state']): AuthorityRow {
    return { ...row, state, changedAt: this.#deps.clock.now() }
  }

  async #commit(
    rows: readonly AuthorityRow[],
    bundle: Bundle,
    type: string,
    { kind, authorityId, notAfter }: AuthorityRow,
    missingAgents?: readonly string[],
  ): Promise<number> {
    const facts = { kind, authorityId, notAfter: notAfter.toISOString(), missingAgents }
    return await this.#commitAll(rows, bundle, [{ type, at: this.#deps.clock.now(), facts }])
  }

  /** One transaction: rows, bundle where it differs from what is stored, and audit. In memory it happens only once it is durable. */
  async #commitAll(
    rows: readonly AuthorityRow[],
    content: BundleContent,
    audit: readonly AuditEvent[],
    others: readonly Mutation[] = [],
  ): Promise<number> {
    const { store, trustDomain } = this.#deps
    const before = this.#bundle
    const bundle: Bundle =
      content === before
        ? before
        : {
            ...{ trustDomain, x509Authorities: content.x509Authorities, jwtAuthorities: content.jwtAuthorities },
            refreshHintSeconds: this.#refreshHintSeconds(),
            sequenceNumber: before.sequenceNumber + 1,
          }
    const mutations: Mutation[] = rows.map((row) => ({ kind: 'authority.put', row }))
    if (bundle !== before) mutations.push({ kind: 'bundle.put', bundle, ifSequence: before.sequenceNumber })
    this.#isStale = true
    const outcome = await store.commit({ mutations: [...mutations, ...others], audit })
    if (!outcome.ok) {
      throw new SallyportError('CONCURRENT_CHANGE', 'Cannot change the authorities: the bundle was changed meanwhile')
    }
    this.#isStale = false
    const replaced = new Set(rows.map(keyOf))
    for (const other of others)
      if (other.kind === 'authority.delete') replaced.add(`${other.authorityKind} ${other.authorityId}`)
    this.#rows = [...this.#rows.filter((row) => !replaced.has(keyOf(row))), ...rows].toSorted(byAge)
    if (bundle.sequenceNumber >= this.#bundle.sequenceNumber) this.#bundle = bundle
    this.#choose()
    return outcome.revision
  }

  #refreshHintSeconds(): number {
    const { config } = this.#deps
    const hints = authorityKinds.map((kind) =>
      refreshHintFor(config[kind].ttlSeconds * 1000, this.#longestSvidMs(kind), config.refreshHintSeconds),
    )
    return Math.min(...hints)
  }

  /** What signs is derived from the journal and the bundle, never kept beside them. */
  #choose(): void {
    const x509 = this.#signing('x509')
    if (x509 === undefined) this.#activeX509 = undefined
    else if (x509.row.authorityId !== this.#activeX509?.authorityId) this.#activeX509 = x509AuthorityOf(x509)
    const jwt = this.#signing('jwt')
    if (jwt === undefined) this.#activeJwt = undefined
    else if (jwt.row.authorityId !== this.#activeJwt?.authorityId) {
      const { authorityId, notBefore, notAfter } = jwt.row
      const algorithm = jwtAlgorithmFor(jwt.signer, this.#deps.config.jwt.algorithm)
      this.#activeJwt = { authorityId, notBefore, notAfter, algorithm, signer: jwt.signer }
    }
  }

  #signing(kind: AuthorityKind): Signing | undefined {
    const row = this.#rowsOf(kind).find(({ state }) => state === 'active')
    const signer = row && this.#signers.get(row.keyName)
    return row && signer && isInBundle(this.#bundle, row) ? { row, signer } : undefined
  }

  async #load(snapshot?: StoreSnapshot): Promise<void> {
    const { store, serverId, trustDomain, clock } = this.#deps
    const { authorities, bundles, revision } = snapshot ?? (await store.snapshot())
    const now = clock.now()
    const bundle = bundles.find((one) => one.trustDomain.equals(trustDomain))
    this.#bundle = bundle ?? { ...emptyBundle(trustDomain), sequenceNumber: 0 }
    this.#revision = Math.max(this.#revision, revision)
    this.#othersSign = authorities.some(
      (row) => row.serverId !== serverId && row.state === 'active' && row.notAfter > now,
    )
    this.#rows = authorities
      .filter((row) => row.serverId === serverId)
      .map((row) =>
        row.state === 'published' ? { ...row, publishedRevision: row.publishedRevision ?? revision } : row,
      )
      .toSorted(byAge)
    for (const row of this.#rows) {
      // What was signed before this process is not known, so it may live as long as its authority.
      const hasSigned = row.state === 'active' || row.state === 'old'
      if (hasSigned && !this.#lastSvidEnds.has(row.authorityId)) {
        this.#lastSvidEnds.set(row.authorityId, row.notAfter.getTime())
      }
      await this.#loadSigner(row)
    }
    this.#isStale = false
    this.#choose()
  }

  async #loadSigner(row: AuthorityRow): Promise<void> {
    if (this.#signers.has(row.keyName) || row.state === 'removed' || row.state === 'old') return
    const signer = await this.#deps.keys.signer(row.keyName)
    if (!isAuthoritySigner(signer)) return
    const published = row.kind === 'x509' ? decodeCertificate(publicDerOf(row)).spki : publicDerOf(row)
    if (spkiOf(signer.publicKey).equals(published)) this.#signers.set(row.keyName, signer)
    else
      this.#deps.log.error({ kind: row.kind, authorityId: row.authorityId }, 'The key of an authority is not its own')
    this.#choose()
  }

  /** One at a time, on a known state. */
  async #exclusively<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#lane.then(async () => {
      if (this.#isStale) await this.#load()
      return await action()
    })
    this.#lane = turn.catch(() => undefined)
    return await turn
  }
}

/** Opens the authorities of a server; when it resolves, both kinds can sign, unless other servers' agents are waited for. */
export async function openAuthorities(deps: AuthoritiesDeps): Promise<Authorities> {
  const authorities = new Authorities(deps)
  await authorities.open(deps.snapshot)
  return authorities
}

interface Signing {
  readonly row: AuthorityRow
  readonly signer: StoredSigner<KeyType>
}

function x509AuthorityOf({ row, signer }: Signing): ActiveX509Authority {
  const certificate = decodeCertificate(publicDerOf(row))
  const subjectKeyId = certificate.subjectKeyId ?? subjectKeyIdOf(certificate.spki)
  return {
    ...{ authorityId: row.authorityId, certificate, signer, notBefore: row.notBefore, notAfter: row.notAfter },
    issuer: { subject: certificate.subject, subjectKeyId },
    intermediates: row.publicDer.slice(1),
  }
}

const isWaiting = (state: AuthorityRow['state']): boolean => state === 'prepared' || state === 'published'

function mayNeedKey({ state, changedAt }: AuthorityRow, nowMs: number): boolean {
  if (state === 'old') return nowMs - changedAt.getTime() < KEY_STAYS_MS
  return state !== 'removed'
}

const keyOf = ({ kind, authorityId }: AuthorityRow): string => `${kind} ${authorityId}`

/** Oldest first; those made in the same moment by id, so that every reading gives the same order. */
const byAge = (a: AuthorityRow, b: AuthorityRow): number =>
  a.notBefore.getTime() - b.notBefore.getTime() || (a.authorityId < b.authorityId ? -1 : 1)

function stateError(verb: string, { kind, authorityId }: AuthorityRow, why: string): SallyportError {
  return new SallyportError('AUTHORITY_STATE', `Cannot ${verb} ${kind} authority ${authorityId}: ${why}`)
}
