import type { HeldPolicy, ServerMessage } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { PolicyKeysDocument } from '../../src/policy/signed-documents.ts'
import type { FastLaneRow, PolicyStateRow, SignedText } from '../store/policy-rows.ts'
import { signedContentOf, type SignedContent } from '../policy/signed-text.ts'
import { CHUNK_MAX_BYTES, SIGNATURE_BYTES } from './messages.ts'
import type { PolicyPush } from './sync-deps.ts'

type FastLaneMessage = Sent<NonNullable<ServerMessage['fastLane']>>

const NOTHING: FastLaneMessage = { entries: [], snapshot: null, keys: null }

/** What one agent has been told of the keys and of the fast lane. */
export class FastLaneView {
  readonly #policy: Pick<PolicyPush, 'book' | 'fastLane'>
  readonly #heldKeyIds: ReadonlySet<string>
  #sequence: number
  #isSnapshotDue: boolean
  #keysVersion: number
  /** With how many signatures the set of that version was told; undefined: it was another stream that told it. */
  #signaturesTold: number | undefined
  /** The version of the last set of keys that was told on this stream. */
  #earlierTold: number | undefined

  constructor(held: HeldPolicy, policy: Pick<PolicyPush, 'book' | 'fastLane'>) {
    const { book } = policy
    const isSameEpoch = held.epoch === book.epoch
    this.#policy = policy
    this.#sequence = isSameEpoch ? held.fastLaneSequence : 0
    this.#isSnapshotDue = !isSameEpoch && (held.fastLaneSequence > 0 || book.fastLaneSequence > 0)
    // An agent that has pinned keys and held no policy yet knows no epoch.
    this.#keysVersion = isSameEpoch || held.epoch === 0 ? held.keysVersion : 0
    this.#heldKeyIds = new Set(held.keyIds.map((id) => id.toString('hex')))
  }

  /** Something is left to be told. */
  get isDue(): boolean {
    const { book } = this.#policy
    return this.#areKeysDue || this.#isSnapshotDue || this.#sequence !== book.fastLaneSequence
  }

  /** The newest keys when the agent has not been told them: what they sign must not come before them. */
  get keysDue(): SignedContent | undefined {
    return this.#areKeysDue ? signedContentOf(this.#policy.book.state.signedKeys) : undefined
  }

  get #areKeysDue(): boolean {
    const { keysVersion, signedKeys } = this.#policy.book.state
    if (this.#keysVersion !== keysVersion) return true
    // Somebody has vouched for them since: an agent that did not believe them may do so now.
    return this.#signaturesTold !== undefined && this.#signaturesTold !== signedKeys.signatures.length
  }

  /** The next message, of at most 1 MiB unless one entry is longer. */
  async next(): Promise<Sent<ServerMessage> | undefined> {
    if (!this.isDue) return undefined
    const { book } = this.#policy
    const { state } = book
    if (!this.#areKeysDue) return { fastLane: { ...NOTHING, ...(await this.#news()) } }
    const earlier = this.#earlierKeys(state)
    if (earlier !== undefined) {
      this.#earlierTold = versionOf(earlier)
      return { fastLane: { ...NOTHING, keys: signedContentOf(earlier) } }
    }
    this.#keysVersion = state.keysVersion
    this.#signaturesTold = state.signedKeys.signatures.length
    this.#earlierTold = state.keysVersion
    // A key that signed what the agent holds may be gone: the newest key vouches for all that is live.
    this.#isSnapshotDue ||= book.fastLaneSequence > 0
    // The keys of what an agent has to verify stand before it.
    return { fastLane: { ...NOTHING, ...(await this.#news()), keys: signedContentOf(state.signedKeys) } }
  }

  /** An agent believes a set of keys that one before it signed: whoever missed some is told all of them, in order. */
  #earlierKeys({ earlierKeys = [], signedKeys }: PolicyStateRow): SignedText | undefined {
    const told = this.#earlierTold
    if (told !== undefined) return earlierKeys.find((signed) => versionOf(signed) > told)
    const place = earlierKeys.findLastIndex((signed) => holds(signed, this.#heldKeyIds))
    if (place !== -1) return earlierKeys[place + 1]
    // It has keys of a time that this store knows nothing of: what one of them has vouched for is where it can begin.
    return this.#isVouched(signedKeys) ? undefined : earlierKeys.findLast((signed) => this.#isVouched(signed))
  }

  #isVouched({ signatures }: SignedText): boolean {
    return signatures.some(({ keyId }) => this.#heldKeyIds.has(keyId))
  }

  async #news(): Promise<Pick<FastLaneMessage, 'entries' | 'snapshot'>> {
    const { book, fastLane } = this.#policy
    const entries = this.#isSnapshotDue ? undefined : book.fastLaneAfter(this.#sequence)
    if (entries?.every((row) => isTrusted(row, book.state)) === true) {
      const some = upTo(CHUNK_MAX_BYTES, entries)
      this.#sequence = some.at(-1)?.sequence ?? this.#sequence
      return { entries: some.map(signedContentOf), snapshot: null }
    }
    const snapshot = await fastLane.snapshot()
    this.#isSnapshotDue = false
    this.#sequence = (JSON.parse(snapshot.content) as { sequence: number }).sequence
    return { entries: [], snapshot: signedContentOf(snapshot) }
  }
}

const documentOf = ({ content }: SignedText): PolicyKeysDocument => JSON.parse(content) as PolicyKeysDocument

const versionOf = (signed: SignedText): number => documentOf(signed).version

const holds = (signed: SignedText, keyIds: ReadonlySet<string>): boolean => {
  const ids = documentOf(signed).keys.flatMap(({ use, keyId }) => (use === 'policy' ? [keyId] : []))
  return ids.length === keyIds.size && ids.every((id) => keyIds.has(id))
}

const isTrusted = ({ signatures }: FastLaneRow, { keys }: PolicyStateRow): boolean =>
  signatures.some((one) => keys.some(({ keyId, state }) => keyId === one.keyId && state !== 'revoked'))

/** At least one, while there is one. */
function upTo(mostBytes: number, rows: readonly FastLaneRow[]): readonly FastLaneRow[] {
  let bytes = 0
  const end = rows.findIndex(({ content }, index) => {
    bytes += Buffer.byteLength(content) + SIGNATURE_BYTES
    return index > 0 && bytes > mostBytes
  })
  return end === -1 ? rows : rows.slice(0, end)
}
