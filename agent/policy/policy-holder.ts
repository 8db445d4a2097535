import type { Clock } from '../../src/clock.ts'
import { SallyportError, type ErrorCode } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { PolicyStatus } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { HeldPolicy, PolicyAck } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import { eitherOf, GOOD_STANDING, type Standing } from '../entries/standing.ts'
import type { Wake } from '../entries/wake.ts'
import type { PolicyHoldings } from '../node/policy-holdings.ts'
import type { VerifiedHeartbeat } from '../upstream/heartbeats.ts'
import type { PushedPolicy } from '../upstream/policy-messages.ts'
import { Freshness } from './freshness.ts'
import {
  digestOf,
  NO_POLICY,
  stateAfter,
  stateRepinned,
  trustedOf,
  type Believing,
  type PolicyState,
} from './policy-state.ts'
import { DELIVERY_LIMIT_MS, PolicyReaders, type PolicyReader } from './policy-readers.ts'
import type { SavedPolicy } from './saved-policy.ts'
import type { Signed } from './signed-content.ts'
import { standingOf } from './standing-of.ts'

export interface PolicyHolderDeps extends Believing {
  readonly saved: SavedPolicy
  /** Where what lifecycle says of the identities of this node goes. */
  readonly entitlements: Pick<Entitlements, 'stand' | 'delivered'>
  /** Of this node, once it has joined. */
  readonly agentId: () => string | undefined
  readonly clock: Clock
  readonly log: Log
  readonly heartbeatMs: number
}

/** More entries after a snapshot than this, and the next stream asks for a new snapshot. */
const ENTRIES_KEPT_MAX = 4096
const SAVE_FRESH_EVERY_MS = 30_000
/** The age of a policy whose freshness nobody has proved: a year, because the wire knows no infinity. */
const UNKNOWN_AGE_MS = 365 * 86_400_000

/**
 * What this agent holds of policy: verified, saved before it is acknowledged, handed to workloads. What may not be believed is
 * logged and changes nothing.
 */
export class PolicyHolder implements PolicyHoldings {
  readonly #deps: PolicyHolderDeps
  readonly #freshness: Freshness
  readonly #readers: PolicyReaders
  #state: PolicyState = NO_POLICY
  /** Of the server's newest revision: it may be beyond that of what concerned this agent. */
  #newest = { epoch: 0, revision: 0 }
  #version = 0
  /** What is on disk: all that the server may be told is held, because only that is there after a crash. */
  #savedState: PolicyState = NO_POLICY
  #savedVersion = 0
  #refused = ''
  /** The set of keys that was not believed last, while none after it was: an administrator may say which key to trust. */
  #untrusted: Signed | undefined
  /** Everything has to be told again. */
  #mustResume = false
  #freshSavedAtMs = -Infinity
  /** Of the last change of what is withheld. */
  #standingSequence = 0
  #standing: Standing = GOOD_STANDING
  /** What the agent went by when it was another one: in force too until the server has proven that what it has said since is all. */
  #earlierStanding: Standing | undefined
  /** One change after another, also when two streams overlap while the agent's SVID is renewed. */
  #applying: Promise<void> = Promise.resolve()
  #saving: Promise<void> | undefined

  constructor(deps: PolicyHolderDeps) {
    this.#deps = deps
    this.#freshness = new Freshness(deps.clock, deps.heartbeatMs)
    this.#readers = new PolicyReaders(deps.clock)
  }

  /**
   * Takes up what was saved, so that it is in force before the server is heard (SE-40). A damaged file is named, and made again from the
   * other; where both are damaged, nothing is in force.
   */
  async restore(): Promise<void> {
    const { saved, log } = this.#deps
    try {
      const found = await saved.read(this.#deps)
      this.#become(found?.state ?? NO_POLICY)
      this.#savedState = this.#state
      this.#newest = { epoch: this.#state.epoch, revision: this.#state.revision }
      const fresh = await saved.readFresh()
      if (fresh !== undefined) this.#freshness.proved(fresh)
      if (found?.damage === undefined) return
      log.error(
        { err: found.damage },
        'One of the two files of the saved policy cannot be used, the other one is in force',
      )
      await saved.write(found.state)
    } catch (error) {
      log.error({ err: error }, 'The saved policy of this agent cannot be used')
    }
  }

  get state(): PolicyState {
    return this.#state
  }

  /** Grows with each change. */
  get version(): number {
    return this.#version
  }

  /** Why something that the server pushed was not believed; empty: nothing was refused since the last good change. */
  get refused(): string {
    return this.#refused
  }

  get status(): PolicyStatus {
    const { ageMs, isStale } = this.#freshness
    return {
      hasPolicy: this.#newest.revision > 0,
      policyEpoch: this.#newest.epoch,
      policyRevision: this.#newest.revision,
      fastLaneSequence: this.#state.fastLane.sequence,
      ageMs: Math.min(Math.round(ageMs), UNKNOWN_AGE_MS),
      stale: isStale,
    }
  }

  get openStreams(): number {
    return this.#readers.size
  }

  get held(): HeldPolicy {
    const saved = this.#savedState
    const { slices, fastLane, keys } = saved
    const epoch = epochOf(saved)
    const isNewest = saved === this.#state && epoch === this.#newest.epoch
    return {
      epoch,
      revision: isNewest ? this.#newest.revision : saved.revision,
      slices: [...trustedOf(slices).values()].map(({ spiffeId, digest }) => ({ spiffeId, digest })),
      fastLaneSequence: fastLane.entries.length > ENTRIES_KEPT_MAX ? 0 : fastLane.sequence,
      keysVersion: keys?.version ?? 0,
      keyIds: (keys?.keyIds ?? []).map((id) => Buffer.from(id, 'hex')),
    }
  }

  apply(pushed: PushedPolicy): Promise<boolean> {
    const applied = this.#applying.then(() => this.#apply(pushed))
    this.#applying = applied.then(
      () => undefined,
      () => undefined,
    )
    return applied
  }

  observe({ policyEpoch, policyRevision, fastLaneSequence, isFresh, serverTime }: VerifiedHeartbeat): void {
    this.#resume()
    // Whoever signs with keys that are not believed proves nothing about what is newest.
    if (this.#untrusted !== undefined) return
    const { fastLane } = this.#state
    // One of another epoch counts anew.
    const sequence = policyEpoch > fastLane.epoch ? 0 : fastLane.sequence
    if (fastLaneSequence > sequence && policyEpoch >= fastLane.epoch) {
      throw new SallyportError(
        'SYNC_MISMATCH',
        `Cannot follow the fast lane: the server is at ${fastLaneSequence}, this agent at ${fastLane.sequence}`,
      )
    }
    const { epoch, revision } = this.#newest
    const isSameEpoch = policyEpoch === epoch
    // A copy of the server that was left behind proves nothing about what is newest.
    const isBehind = policyEpoch < epoch || (isSameEpoch && policyRevision < revision) || fastLaneSequence < sequence
    if (!isFresh || isBehind) return
    if (this.#earlierStanding !== undefined) {
      this.#earlierStanding = undefined
      this.#stand()
    }
    this.#freshness.proved(serverTime)
    if (!isSameEpoch || policyRevision > revision) this.#newest = { epoch: policyEpoch, revision: policyRevision }
    this.#saveFreshLater(serverTime)
    this.#readers.ring()
  }

  async settle(): Promise<PolicyAck> {
    await this.#applying
    const version = this.#version
    const { fastLane, slices, keys } = this.#state
    const ack = {
      ...this.#newest,
      fastLaneSequence: fastLane.sequence,
      digest: digestOf(trustedOf(slices)),
      keysVersion: keys?.version ?? 0,
      refused: this.#refused,
    }
    await Promise.all([this.#save(version), this.#readers.delivered(version), this.#withheldDelivered()])
    return ack
  }

  /** What is withheld has been taken back from every stream of SVIDs; one that does not read is not waited for long. */
  async #withheldDelivered(): Promise<void> {
    const { clock, entitlements } = this.#deps
    const late = new AbortController()
    using _timer = clock.timer(DELIVERY_LIMIT_MS, () => late.abort())
    await entitlements.delivered(this.#standingSequence, late.signal)
  }

  /**
   * Trusts from now on what this key signs: an administrator of this node has compared its id with what the server says. It takes
   * the set of keys that was refused last.
   *
   * @param keyId SHA-256 of the public key, hex
   * @throws {@link SallyportError} `POLICY_KEYS_NOT_OFFERED`, `POLICY_CONTENT_REFUSED`
   */
  repin(keyId: string): Promise<void> {
    const repinned = this.#applying.then(() => this.#repin(keyId))
    this.#applying = repinned.catch(() => undefined)
    return repinned
  }

  forget(): Promise<void> {
    const forgotten = this.#applying.then(async () => {
      // A write that is under way would put back what is removed.
      await this.#saving?.catch(() => undefined)
      // Entries and SVIDs stay in use as well until the server is heard: forgetting must release nobody.
      this.#earlierStanding = this.#standing
      this.#become(NO_POLICY)
      this.#savedState = NO_POLICY
      this.#newest = { epoch: 0, revision: 0 }
      this.#version++
      this.#untrusted = undefined
      this.#freshness.forget()
      await this.#deps.saved.remove()
    })
    this.#applying = forgotten.catch(() => undefined)
    return forgotten
  }

  /** A workload stream's place among those that changes are told to. */
  read(wake: Wake): PolicyReader {
    return this.#readers.open(wake, () => this.#version)
  }

  /** Tells workloads the age at least once a heartbeat, above all while the server is silent. Without workloads it sleeps. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock, heartbeatMs, log } = this.#deps
    for (let wasStale = true; ;) {
      await this.#readers.opened(signal)
      await clock.sleep(heartbeatMs, signal)
      const { stale, hasPolicy, ageMs } = this.status
      if (hasPolicy && stale && !wasStale)
        log.warn({ ageMs }, 'The policy of this agent is stale: the server is silent')
      wasStale = stale
      if (stale) this.#readers.ring()
    }
  }

  async #apply(pushed: PushedPolicy): Promise<boolean> {
    const { log } = this.#deps
    try {
      const next = await stateAfter(this.#state, pushed, this.#deps)
      if (pushed.kind !== 'fastLane') this.#newest = { epoch: next.epoch, revision: next.revision }
      this.#believed(next)
    } catch (error) {
      if (!(error instanceof SallyportError) || !REFUSALS.has(error.code)) throw error
      this.#refused = `${error.code}: ${error.message}`
      if (error.code === 'POLICY_KEYS_UNTRUSTED') this.#untrusted = pushed.keys ?? undefined
      log.error({ err: error }, 'What the server pushed of policy is not believed; the last good state stays in force')
      return false
    }
    this.#resume()
    return true
  }

  async #repin(keyId: string): Promise<void> {
    const { trustDomain, cryptography, log } = this.#deps
    const { keys } = this.#state
    if (keys === undefined || this.#untrusted === undefined) throw notOffered(keyId)
    const replaced = await keys.replacedBy(this.#untrusted, keyId, trustDomain, cryptography)
    this.#believed(await stateRepinned(this.#state, replaced, this.#deps))
    await this.#save(this.#version)
    log.warn({ keyId }, 'An administrator of this node has told it to trust other policy keys')
  }

  #believed(state: PolicyState): void {
    this.#refused = ''
    // What came with keys that were not believed was not believed either.
    this.#mustResume ||= this.#untrusted !== undefined
    this.#untrusted = undefined
    this.#become(state)
    this.#version++
    this.#readers.ring()
  }

  #resume(): void {
    if (!this.#mustResume) return
    this.#mustResume = false
    throw new SallyportError(
      'SYNC_MISMATCH',
      'Other policy keys are trusted now: all of the policy has to be told again',
    )
  }

  #become(state: PolicyState): void {
    const before = this.#state
    this.#state = state
    // Whose zone is in quarantine is seen from the slices.
    if (state.fastLane !== before.fastLane || state.slices !== before.slices) this.#stand()
  }

  #stand(): void {
    const { entitlements, agentId } = this.#deps
    const current = standingOf(this.#state, agentId())
    this.#standing = this.#earlierStanding === undefined ? current : eitherOf(current, this.#earlierStanding)
    this.#standingSequence = entitlements.stand(this.#standing)
  }

  /** One write at a time; what changes meanwhile goes into the next one. */
  async #save(version: number): Promise<void> {
    while (this.#savedVersion < version) {
      this.#saving ??= this.#write().finally(() => (this.#saving = undefined))
      await this.#saving
    }
  }

  async #write(): Promise<void> {
    const version = this.#version
    const state = this.#state
    await this.#deps.saved.write(state)
    this.#savedState = state
    this.#savedVersion = version
  }

  #saveFreshLater(at: Date): void {
    const { clock, saved, log } = this.#deps
    if (clock.monotonicMs() - this.#freshSavedAtMs < SAVE_FRESH_EVERY_MS) return
    this.#freshSavedAtMs = clock.monotonicMs()
    saved
      .writeFresh(at)
      .catch((error: unknown) => log.error({ err: error }, 'The freshness of the policy could not be saved'))
  }
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set(['POLICY_CONTENT_REFUSED', 'POLICY_KEYS_UNTRUSTED'])

const notOffered = (keyId: string): SallyportError =>
  new SallyportError(
    'POLICY_KEYS_NOT_OFFERED',
    `Cannot trust the policy key ${keyId}: the server has offered no set of keys that this agent refuses`,
  )

/** Of the slices and the fast lane; the earlier one while they differ, so that the server sends both anew. */
function epochOf({ epoch, fastLane }: PolicyState): number {
  if (epoch === 0 || fastLane.epoch === 0) return Math.max(epoch, fastLane.epoch)
  return Math.min(epoch, fastLane.epoch)
}
