import { createHash } from 'node:crypto'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { HeldPolicy, PolicyAck, ServerMessage } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { PolicyNews } from '../policy/policy-book.ts'
import { signedContentOf, type SignedContent } from '../policy/signed-text.ts'
import { FastLaneView } from './fast-lane-view.ts'
import { CHUNK_MAX_BYTES, SIGNATURE_BYTES } from './messages.ts'
import type { PolicyPush } from './sync-deps.ts'

export interface PolicyViewDeps {
  readonly policy: PolicyPush
  readonly agentId: string
  /** The SPIFFE IDs of the entries that the agent holds. */
  readonly identities: () => ReadonlySet<string>
  readonly clock: Pick<Clock, 'monotonicMs' | 'timer'>
  readonly log: Log
  readonly wake: () => void
}

/** What an agent has said that it holds. */
export interface AcknowledgedPolicy {
  readonly epoch: number
  readonly revision: number
  readonly fastLaneSequence: number
  readonly keysVersion: number
  readonly refused: string
}

/** All slices are sent again no sooner than this after the last time, should an agent disagree with what it was sent. */
const RESYNC_PAUSE_MS = 5000

/**
 * What one agent has been told of policy: slices of its identities by digest, the fast lane by sequence. News only mark what may
 * differ; the difference is made when the stream has room, so a slow agent gets fewer and larger messages.
 */
export class PolicyView {
  readonly #deps: PolicyViewDeps
  /** Digests of the slices that the agent was told. */
  #held = new Map<string, Buffer>()
  #pending: Set<string> | 'all' = 'all'
  /** Tell everything, whatever the agent says it holds. */
  #isSnapshotDue = false
  #resyncAtMs: number | undefined
  #lastSnapshotMs = Number.NEGATIVE_INFINITY
  readonly #fastLane: FastLaneView
  /** Digests of what is under way, and the one that the agent has confirmed last. */
  #sent: Buffer[] = []
  #agreed: Buffer
  #acknowledged: AcknowledgedPolicy

  /** @throws {@link SallyportError} `REQUEST_INVALID` */
  constructor(held: HeldPolicy, deps: PolicyViewDeps) {
    checkExact(held)
    this.#deps = deps
    const { book } = deps.policy
    const isSameEpoch = held.epoch === book.epoch
    if (isSameEpoch) for (const { spiffeId, digest } of held.slices) this.#held.set(spiffeId, digest)
    this.#agreed = heldDigest(this.#held)
    this.#isSnapshotDue = !isSameEpoch && (held.slices.length > 0 || book.current !== undefined)
    this.#fastLane = new FastLaneView(held, deps.policy)
    this.#acknowledged = {
      ...{ epoch: held.epoch, revision: held.revision, fastLaneSequence: held.fastLaneSequence },
      ...{ keysVersion: held.keysVersion, refused: '' },
    }
  }

  get acknowledged(): AcknowledgedPolicy {
    const { book } = this.#deps.policy
    const { refused, epoch } = this.#acknowledged
    // An agent that nothing new concerned holds the newest by hearing of it in a heartbeat.
    const isCurrent = epoch === book.epoch && !this.isPending && this.#sent.length === 0 && refused === ''
    return isCurrent ? { ...this.#acknowledged, revision: book.policyRevision } : this.#acknowledged
  }

  /** Something is left to be told: until then no heartbeat may say that the agent is current. */
  get isPending(): boolean {
    return this.#areSlicesDue || this.#fastLane.isDue
  }

  get #areSlicesDue(): boolean {
    return this.#isSnapshotDue || this.#pending === 'all' || this.#pending.size > 0
  }

  /** @returns false: none of it concerns this agent */
  mark({ identities, fastLane, keys }: Pick<PolicyNews, 'identities' | 'fastLane' | 'keys'>): boolean {
    if (identities === 'all' || this.#pending === 'all') {
      this.#pending = 'all'
      return true
    }
    const mine = this.#deps.identities()
    if (identities.size > mine.size + this.#held.size) {
      for (const id of [...mine, ...this.#held.keys()]) if (identities.has(id)) this.#pending.add(id)
    } else {
      for (const id of identities) if (mine.has(id) || this.#held.has(id)) this.#pending.add(id)
    }
    return fastLane || keys || this.isPending
  }

  /** Entries have come or gone, and identities with them. */
  markIdentities(): void {
    if (this.#pending === 'all') return
    const mine = this.#deps.identities()
    for (const id of mine) if (!this.#held.has(id)) this.#pending.add(id)
    for (const id of this.#held.keys()) if (!mine.has(id)) this.#pending.add(id)
  }

  /** @throws {@link SallyportError} `REQUEST_INVALID` */
  acknowledge(ack: PolicyAck): void {
    checkExact(ack)
    const { epoch, revision, fastLaneSequence, keysVersion, refused, digest } = ack
    const { policy, log, agentId } = this.#deps
    this.#acknowledged = { epoch, revision, fastLaneSequence, keysVersion, refused: refused.slice(0, REFUSED_MAX) }
    if (refused !== '') log.warn({ agentId, reason: this.#acknowledged.refused }, 'An agent refused policy')
    if (epoch !== policy.book.epoch || digest.length === 0) return
    const place = this.#sent.findLastIndex((sent) => sent.equals(digest))
    if (place === -1) {
      // Sending again what it refuses would not help.
      if (refused === '' && !digest.equals(this.#agreed)) this.#resyncLater()
      return
    }
    this.#agreed = digest
    this.#sent = this.#sent.slice(place + 1)
  }

  /** The fast lane goes before everything else. */
  nextFastLane(): Promise<Sent<ServerMessage> | undefined> {
    return this.#fastLane.next()
  }

  /** Slices that the agent lacks, in messages of at most 1 MiB; nothing when there are none. */
  async *nextSlices(): AsyncGenerator<Sent<ServerMessage>> {
    if (this.#resyncAtMs !== undefined && this.#now() >= this.#resyncAtMs) this.#isSnapshotDue = true
    if (!this.#areSlicesDue) return
    const isSnapshot = this.#isSnapshotDue
    const pending = isSnapshot ? 'all' : this.#pending
    this.#pending = new Set()
    this.#isSnapshotDue = false
    this.#resyncAtMs = undefined
    if (isSnapshot) {
      this.#held = new Map()
      this.#lastSnapshotMs = this.#now()
    }
    const { wanted, removed } = this.#difference(pending)
    if (!isSnapshot && wanted.length === 0 && removed.length === 0) return
    yield* isSnapshot ? this.#snapshot(wanted) : this.#delta(wanted, removed)
  }

  #difference(pending: ReadonlySet<string> | 'all'): { readonly wanted: string[]; readonly removed: string[] } {
    const { book, slices } = this.#deps.policy
    const mine = book.current === undefined ? new Set<string>() : this.#deps.identities()
    const ids = pending === 'all' ? new Set([...mine, ...this.#held.keys()]) : pending
    const isTold = (id: string): boolean => slices.digestOf(id)?.equals(this.#held.get(id) ?? NOTHING) ?? true
    const wanted = [...ids].filter((id) => mine.has(id) && !isTold(id))
    // One that cannot be sent must not stay in force as it was.
    const isOver = (id: string): boolean => !mine.has(id) || slices.digestOf(id) === undefined
    const removed = [...ids].filter((id) => this.#held.has(id) && isOver(id))
    return { wanted, removed }
  }

  async *#snapshot(wanted: readonly string[]): AsyncGenerator<Sent<ServerMessage>> {
    const { book } = this.#deps.policy
    const { epoch, policyRevision: revision } = book
    const keys = signedContentOf(book.state.signedKeys)
    let isFirst = true
    for await (const { slices, isLast } of this.#chunks(wanted)) {
      const digest = isLast ? this.#digest() : Buffer.alloc(0)
      const news = this.#fastLane.keysDue ?? (isFirst ? keys : null)
      yield { policySnapshot: { epoch, revision, slices, last: isLast, digest, keys: news } }
      isFirst = false
    }
  }

  async *#delta(wanted: readonly string[], removed: readonly string[]): AsyncGenerator<Sent<ServerMessage>> {
    const { book } = this.#deps.policy
    for (const id of removed) this.#held.delete(id)
    let removedIdentities = removed
    for await (const { slices } of this.#chunks(wanted)) {
      const digest = this.#digest()
      yield {
        policyDelta: {
          ...{ epoch: book.epoch, revision: book.policyRevision },
          ...{ slices, removedIdentities, digest, keys: this.#fastLane.keysDue ?? null },
        },
      }
      removedIdentities = []
    }
  }

  /** At least one chunk, however little there is. */
  async *#chunks(
    ids: readonly string[],
  ): AsyncGenerator<{ readonly slices: readonly SignedContent[]; readonly isLast: boolean }> {
    const { slices } = this.#deps.policy
    let chunk: SignedContent[] = []
    let sizeBytes = 0
    for (const id of ids) {
      const signed = await slices.signed(id)
      if (signed === undefined) continue
      const { digest, slice } = signed
      const size = slice.content.length + SIGNATURE_BYTES
      if (sizeBytes > 0 && sizeBytes + size > CHUNK_MAX_BYTES) {
        yield { slices: chunk, isLast: false }
        chunk = []
        sizeBytes = 0
      }
      this.#held.set(id, digest)
      chunk.push(slice)
      sizeBytes += size
    }
    yield { slices: chunk, isLast: true }
  }

  #digest(): Buffer {
    const digest = heldDigest(this.#held)
    this.#sent.push(digest)
    if (this.#sent.length > SENT_MAX) this.#sent.shift()
    return digest
  }

  #resyncLater(): void {
    const { clock, log, agentId, wake } = this.#deps
    if (this.#resyncAtMs !== undefined) return
    log.warn({ agentId }, 'An agent holds other slices than it was sent, sending all')
    this.#resyncAtMs = Math.max(this.#now(), this.#lastSnapshotMs + RESYNC_PAUSE_MS)
    clock.timer(Math.max(0, this.#resyncAtMs - this.#now()), wake)
  }

  #now(): number {
    return this.#deps.clock.monotonicMs()
  }
}

/** The longest reason of an agent that is kept, in characters. */
const REFUSED_MAX = 500
/** How many digests of messages under way are kept for comparison. */
const SENT_MAX = 64
const NOTHING = Buffer.alloc(0)

/** The sum, byte by byte modulo 256, of the SHA-256 of (SPIFFE ID, NUL, digest): whatever the order, and without a list. */
export function heldDigest(held: ReadonlyMap<string, Buffer>): Buffer {
  const sum = Buffer.alloc(32)
  for (const [spiffeId, digest] of held) {
    const one = createHash('sha256').update(spiffeId).update('\0').update(digest).digest()
    for (const [index, byte] of one.entries()) sum[index] = ((sum[index] ?? 0) + byte) % 256
  }
  return sum
}

/** What an agent says that it holds is told to administrators: a number that was rounded when it was read could not be told again. */
function checkExact(said: Pick<PolicyAck, 'epoch' | 'revision' | 'fastLaneSequence' | 'keysVersion'>): void {
  const { epoch, revision, fastLaneSequence, keysVersion } = said
  if ([epoch, revision, fastLaneSequence, keysVersion].every(Number.isSafeInteger)) return
  throw new SallyportError(
    'REQUEST_INVALID',
    'Cannot follow: what the agent says that it holds of policy is too large a number',
  )
}
