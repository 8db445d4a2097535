import type { Bundle } from '../../src/bundle/bundle.ts'
import { SallyportError } from '../../src/errors.ts'
import { bundleSet } from '../audit/bundle-events.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { AuthorityRow, StoreSnapshot } from '../store/store.ts'
import { ActiveAuthorities } from './active-authorities.ts'
import type { ActiveTokenAuthority, ActiveX509Authority, AuthorityStatus } from './active-authority.ts'
import { type AuthoritiesDeps, authorityOptions, kindsOf, longestSvidMs, witNotOffered } from './authority-config.ts'
import { AuthorityKeys } from './authority-keys.ts'
import { ClockSteadiness } from './clock-steadiness.ts'
import { Journal } from './journal.ts'
import { type AuthorityKind, makeAuthority } from './make-authority.ts'
import { isInBundle, withAuthority, withoutAuthority, withoutExpired, withoutUnended, withTaint } from './own-bundle.ts'
import { type Plan, planRotation, type Step } from './rotation.ts'
import { runRotation } from './run-rotation.ts'

/** Steps that one look at the rotation takes at most: more would be a fault of the plan. */
const STEPS_MAX = 8
/** How long what was removed for ever is remembered in the journal. */
const REMOVED_STAYS_MS = 14 * 24 * 3_600_000
const EDIT_ATTEMPTS = 5

/**
 * The signing authorities of one server and the bundle of its trust domain.
 *
 * prepared → published → active → old → removed. Every step is one transaction of journal and bundle, and what signs is
 * derived from what the store has confirmed; so whatever crashes, what signs is in the bundle.
 */
export class Authorities {
  readonly #deps: AuthoritiesDeps
  readonly #journal: Journal
  readonly #keys: AuthorityKeys
  readonly #active: ActiveAuthorities
  readonly #steadiness: ClockSteadiness
  /** By authority id: when the last of what it signed ends. */
  readonly #lastSvidEnds = new Map<string, number>()

  constructor(deps: AuthoritiesDeps) {
    this.#deps = deps
    this.#journal = new Journal(deps, () => this.#active.choose())
    this.#keys = new AuthorityKeys(deps.keys, deps.log)
    this.#active = new ActiveAuthorities(this.#journal, this.#keys, deps)
    this.#steadiness = new ClockSteadiness(deps.clock, deps.config.clockSettleSeconds * 1000)
  }

  /**
   * The authority for X509-SVIDs.
   *
   * @throws {@link SallyportError} `NOT_READY` when there is none, `AUTHORITY_EXPIRED` when it is not valid now
   */
  activeX509(): ActiveX509Authority {
    return this.#active.x509()
  }

  /** As {@link activeX509}, for JWT-SVIDs. */
  activeJwt(): ActiveTokenAuthority {
    return this.#active.jwt()
  }

  /** As {@link activeX509}, for WIT-SVIDs; `METHOD_UNIMPLEMENTED` where they are not turned on. */
  activeWit(): ActiveTokenAuthority {
    if (!this.offers('wit')) throw witNotOffered()
    return this.#active.wit()
  }

  /** Whether this server has authorities of a kind. */
  offers(kind: AuthorityKind): boolean {
    return kindsOf(this.#deps.config).includes(kind)
  }

  /** The trust domain's own bundle, as the store has confirmed it. */
  bundle(): Bundle {
    return this.#journal.bundle
  }

  /** Whether this server's authority of that id is in the bundle: what it has signed may leave. */
  isPublished(kind: AuthorityKind, authorityId: string): boolean {
    const row = this.#journal.find(kind, authorityId)
    return row !== undefined && isInBundle(this.#journal.bundle, row)
  }

  /** Whether SVIDs of that authority should be replaced now: it is tainted, or not in the bundle any more. */
  isDistrusted(kind: AuthorityKind, authorityId: string): boolean {
    return this.#journal.find(kind, authorityId)?.tainted !== false || !this.isPublished(kind, authorityId)
  }

  /** Remembers how long the authority is needed to verify what it signs. */
  recordLife(authorityId: string, notAfter: Date): void {
    const known = this.#lastSvidEnds.get(authorityId) ?? 0
    if (known < notAfter.getTime()) this.#lastSvidEnds.set(authorityId, notAfter.getTime())
  }

  status(): AuthorityStatus[] {
    return kindsOf(this.#deps.config).flatMap((kind) => {
      const { waiting } = this.plan(kind)
      const kept = this.#journal.rows(kind).filter(({ state }) => state !== 'removed')
      return kept.map(({ authorityId, state, notBefore, notAfter, tainted, keyType }) => {
        const reason = waiting.find((one) => one.authorityId === authorityId)
        const facts = { kind, authorityId, state, notBefore, notAfter, tainted, keyType }
        return { ...facts, waitingFor: reason?.for ?? '', missingAgents: reason?.missing.map(String) ?? [] }
      })
    })
  }

  /** Reads the journal, continues what a crash interrupted, and makes the first authorities. */
  async open(snapshot?: StoreSnapshot): Promise<void> {
    if (snapshot !== undefined) {
      this.#journal.read(snapshot)
      await this.#loaded()
    }
    await this.#exclusively(async () => {
      await this.#retireUnoffered()
      for (const kind of kindsOf(this.#deps.config)) await this.#advance(kind)
    })
  }

  /** Looks whether anything is due and does it. Problems are logged, and tried again the next time. */
  async rotate(): Promise<void> {
    await this.#exclusively(async () => {
      const jumpMs = this.#steadiness.observe()
      if (jumpMs !== 0) this.#deps.log.warn({ jumpMs }, 'The wall clock jumped: nothing is removed until it is steady')
      for (const kind of kindsOf(this.#deps.config)) await this.#advance(kind)
      if (this.#steadiness.isSteady) await this.#tidy()
    }).catch((err: unknown) => {
      this.#deps.log.error({ err }, 'Cannot rotate authorities; trying again')
    })
  }

  /** Rotates when it is due and follows the bundle in the store, until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    await runRotation(this, this.#journal, this.#deps, signal)
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
      const row = this.#rowIn(kind, authorityId, 'published', 'activate')
      const missing = this.#deps.acknowledgements.missing(row.publishedRevision ?? this.#journal.revision)
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
      const row = { ...this.#rowIn(kind, authorityId, 'old', 'taint'), tainted: true }
      await this.#commit([row], withTaint(this.bundle(), row), this.#event('authority.tainted', row))
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
      const row = this.#rowIn(kind, authorityId, 'old', 'revoke')
      if (kind === 'x509' && !row.tainted) throw stateError('revoke', row, 'it is not tainted')
      const bundle = withoutAuthority(this.bundle(), row)
      await this.#commit([this.#changed(row, 'removed')], bundle, this.#event('authority.revoked', row))
      this.#deps.log.warn({ kind, authorityId }, 'Revoked authority')
      // It is revoked whether or not its key can be destroyed now; tidying up tries again.
      await this.#keys.remove(row).catch((err: unknown) => {
        this.#deps.log.error({ kind, authorityId, err }, 'Cannot remove the key of a revoked authority')
      })
    })
  }

  /**
   * Changes the bundle in other ways, such as appending an authority from elsewhere. `edit` is pure, and may run again when
   * somebody else changed the bundle meanwhile; the same object means no change.
   */
  async editBundle(edit: (bundle: Bundle) => Bundle, audit: readonly AuditEvent[]): Promise<Bundle> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#exclusively(async () => {
          const bundle = edit(this.bundle())
          if (bundle !== this.bundle()) await this.#journal.commit({ bundle, audit })
          return this.bundle()
        })
      } catch (error) {
        const isRace = error instanceof SallyportError && error.code === 'CONCURRENT_CHANGE'
        if (!isRace || attempt === EDIT_ATTEMPTS) throw error
      }
    }
  }

  /** What is to be done about one kind now, or waited for. */
  plan(kind: AuthorityKind): Plan {
    const { clock, config, acknowledgements } = this.#deps
    const rows = this.#journal.rows(kind)
    const bundle = this.bundle()
    return planRotation({
      now: clock.now(),
      authorities: rows.map((row) => ({
        row,
        hasKey: this.#keys.of(row) !== undefined,
        isInBundle: isInBundle(bundle, row),
        lastSvidEnds: new Date(this.#lastSvidEnds.get(row.authorityId) ?? 0),
      })),
      longestSvidMs: longestSvidMs(kind, config),
      refreshHintSeconds: bundle.refreshHintSeconds || config.refreshHintSeconds,
      missing: (revision) => acknowledgements.missing(revision),
      mayRemove: this.#steadiness.isSteady,
      joinsOthers: this.#journal.othersSign && !rows.some(({ state }) => state === 'active' || state === 'old'),
    })
  }

  async #advance(kind: AuthorityKind): Promise<void> {
    for (let count = 0; count < STEPS_MAX; count++) {
      const { step } = this.plan(kind)
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

  async #make(kind: AuthorityKind): Promise<AuthorityRow> {
    const { trustDomain, serverId, config, log } = this.#deps
    const { keyType, ttlSeconds } = authorityOptions(kind, config)
    const { subject } = config.x509
    const order = { kind, trustDomain, serverId, keyType, ttlMs: ttlSeconds * 1000, subject }
    const row = await makeAuthority(order, this.#deps)
    await this.#commit([row], this.bundle(), this.#event('authority.prepared', row))
    await this.#keys.load(row)
    log.info({ kind, authorityId: row.authorityId, expiresAt: row.notAfter }, 'Prepared authority')
    return row
  }

  /** Others that were waiting to sign never will: the newest takes their place. */
  async #publish(row: AuthorityRow): Promise<void> {
    const published = this.#changed(row, 'published')
    const replaced = this.#journal
      .rows(row.kind)
      .filter(({ state, authorityId }) => isWaiting(state) && authorityId !== row.authorityId)
      .map((other) => this.#changed(other, 'removed'))
    const bundle = replaced.reduce(withoutAuthority, withAuthority(this.bundle(), published))
    const revision = await this.#commit([published, ...replaced], bundle, this.#event('authority.published', row))
    // Known only now. Without it, after a crash here, agents are compared with a later revision, which they reach as well.
    await this.#commit([{ ...published, publishedRevision: revision }], this.bundle())
    this.#deps.log.info({ kind: row.kind, authorityId: row.authorityId, revision }, 'Published authority')
  }

  async #activate(row: AuthorityRow, missingAgents: readonly string[]): Promise<void> {
    const active = this.#changed(row, 'active')
    const old = this.#journal
      .rows(row.kind)
      .filter(({ state, authorityId }) => state === 'active' && authorityId !== row.authorityId)
      .map((other) => this.#changed(other, 'old'))
    // From here on everything that it signs is counted; nothing was signed before.
    this.recordLife(row.authorityId, this.#deps.clock.now())
    const event = this.#event('authority.activated', row, missingAgents)
    await this.#commit([active, ...old], withAuthority(this.bundle(), active), event)
    const fields = { kind: row.kind, authorityId: row.authorityId, expiresAt: row.notAfter }
    if (missingAgents.length === 0) this.#deps.log.info(fields, 'Activated authority')
    else this.#deps.log.warn({ ...fields, missingAgents }, 'Activated authority before all agents have it')
  }

  async #remove(rows: readonly AuthorityRow[]): Promise<void> {
    for (const row of rows) {
      const bundle = withoutAuthority(this.bundle(), row)
      await this.#commit([this.#changed(row, 'removed')], bundle, this.#event('authority.removed', row))
      this.#deps.log.info({ kind: row.kind, authorityId: row.authorityId }, 'Removed authority')
    }
  }

  /** A kind that is turned off leaves the bundle at once: nobody would rotate what stayed there. */
  async #retireUnoffered(): Promise<void> {
    const rows = this.#journal.rows().filter(({ kind, state }) => !this.offers(kind) && state !== 'removed')
    await this.#remove(rows)
    await this.#dropUnended()
  }

  /** What others appended without an end would stay for ever, and be trusted for tokens that nobody here offers. */
  async #dropUnended(): Promise<void> {
    if (this.offers('wit')) return
    const { clock, log } = this.#deps
    const before = this.bundle()
    const bundle = withoutUnended(before, 'wit', clock.now())
    if (bundle === before) return
    const keyIds = before.witAuthorities.filter((one) => !bundle.witAuthorities.includes(one)).map(({ keyId }) => keyId)
    const next = { ...bundle, sequenceNumber: before.sequenceNumber + 1 }
    await this.#commit([], bundle, bundleSet({ at: clock.now() }, next))
    log.warn({ kind: 'wit', keyIds }, 'Removed keys without an end from the bundle: WIT-SVIDs are not turned on')
  }

  /** Destroys keys that will never sign again, forgets what was removed long ago, and what in the bundle ended by itself. */
  async #tidy(): Promise<void> {
    const now = this.#deps.clock.now()
    const rows = this.#journal.rows()
    await this.#keys.sweep(rows, now)
    await this.#dropUnended()
    const kept = rows.filter(({ state }) => state !== 'removed')
    const bundle = withoutExpired(this.bundle(), kept, now)
    const forgotten = rows.filter(
      ({ state, changedAt }) => state === 'removed' && now.getTime() - changedAt.getTime() > REMOVED_STAYS_MS,
    )
    if (forgotten.length > 0 || bundle !== this.bundle()) await this.#journal.commit({ bundle, forgotten })
  }

  #need(kind: AuthorityKind, authorityId: string): AuthorityRow {
    const row = this.#journal.find(kind, authorityId)
    if (row !== undefined) return row
    throw new SallyportError('AUTHORITY_NOT_FOUND', `Cannot find ${kind} authority ${authorityId.slice(0, 100)}`)
  }

  #rowIn(kind: AuthorityKind, authorityId: string, state: AuthorityRow['state'], verb: string): AuthorityRow {
    const row = this.#need(kind, authorityId)
    if (row.state === state) return row
    throw stateError(verb, row, `it is ${row.state}, not ${state}`)
  }

  #changed(row: AuthorityRow, state: AuthorityRow['state']): AuthorityRow {
    return { ...row, state, changedAt: this.#deps.clock.now() }
  }

  #event(type: string, { kind, authorityId, notAfter }: AuthorityRow, missingAgents?: readonly string[]): AuditEvent {
    const facts = { kind, authorityId, notAfter: notAfter.toISOString(), missingAgents }
    return { type, at: this.#deps.clock.now(), facts }
  }

  async #commit(rows: readonly AuthorityRow[], bundle: Bundle, ...audit: readonly AuditEvent[]): Promise<number> {
    return await this.#journal.commit({ rows, bundle, audit })
  }

  async #exclusively<T>(action: () => Promise<T>): Promise<T> {
    return await this.#journal.exclusively(action, () => this.#loaded())
  }

  async #loaded(): Promise<void> {
    for (const row of this.#journal.rows()) {
      const hasSigned = row.state === 'active' || row.state === 'old'
      // What was signed before this process is not known, so it may live as long as its authority.
      if (hasSigned && !this.#lastSvidEnds.has(row.authorityId)) this.recordLife(row.authorityId, row.notAfter)
      await this.#keys.load(row)
    }
    this.#active.choose()
  }
}

/** Opens the authorities of a server; when it resolves, every kind can sign, unless other servers' agents are waited for. */
export async function openAuthorities(deps: AuthoritiesDeps): Promise<Authorities> {
  const authorities = new Authorities(deps)
  await authorities.open(deps.snapshot)
  return authorities
}

const isWaiting = (state: AuthorityRow['state']): boolean => state === 'prepared' || state === 'published'

function stateError(verb: string, { kind, authorityId }: AuthorityRow, why: string): SallyportError {
  return new SallyportError('AUTHORITY_STATE', `Cannot ${verb} ${kind} authority ${authorityId}: ${why}`)
}
