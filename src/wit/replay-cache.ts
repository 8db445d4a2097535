import { type Clock, systemClock } from '../clock.ts'
import { SallyportError } from '../errors.ts'

export interface ReplayCacheOptions {
  /** The most proofs that are remembered at once. Default: 100,000, which take about 20 MB. */
  readonly maxProofs?: number | undefined
  /** The most of them that are of one sender, so that none fills it for the others. Default: half of all. */
  readonly maxProofsPerSender?: number | undefined
  readonly clock?: Clock | undefined
}

/** Proofs are forgotten together, those of this long a time at once. */
const ROUND_MS = 10_000

/**
 * Remembers the proofs that were used, each for as long as it could be used again, so that none is used twice in this process.
 * Other processes of the same service each remember their own.
 *
 * When it is full, new proofs are refused (`REPLAY_CACHE_FULL`, 503) until older ones have ended: what is not remembered could be
 * used twice.
 */
export class ReplayCache {
  readonly #maxProofs: number
  readonly #maxPerSender: number
  readonly #clock: Clock
  readonly #senders = new Map<string, Set<string>>()
  /** What is forgotten when, by the number of the round in which it may be. */
  readonly #rounds = new Map<number, (readonly [sender: string, proofId: string])[]>()
  #size = 0
  #forgetAtMs = 0

  constructor({ maxProofs = 100_000, maxProofsPerSender, clock = systemClock }: ReplayCacheOptions = {}) {
    const perSender = maxProofsPerSender ?? Math.ceil(maxProofs / 2)
    for (const [name, value] of Object.entries({ maxProofs, maxProofsPerSender: perSender })) {
      if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`${name} is a whole number of 1 or more`)
    }
    this.#maxProofs = maxProofs
    this.#maxPerSender = perSender
    this.#clock = clock
  }

  /** How many proofs are remembered. */
  get size(): number {
    return this.#size
  }

  /**
   * Takes note of a proof.
   *
   * @param until the instant from which it is refused anyway
   * @throws {@link SallyportError} `WIT_PROOF_REPLAYED` when it was used before, `REPLAY_CACHE_FULL`
   */
  use(sender: string, proofId: string, until: Date): void {
    // By the time since the start: a wall clock that jumps ahead must not make anything forgotten.
    const nowMs = this.#clock.monotonicMs()
    this.#forget(nowMs)
    const used = this.#senders.get(sender) ?? new Set()
    if (used.has(proofId))
      throw new SallyportError('WIT_PROOF_REPLAYED', `Cannot accept a proof of ${sender}: it was used before`)
    if (this.#size >= this.#maxProofs) throw full(`it holds ${this.#size} proofs`)
    if (used.size >= this.#maxPerSender) throw full(`it holds ${used.size} proofs of ${sender} alone`)
    this.#senders.set(sender, used.add(proofId))
    this.#size++
    const endsMs = nowMs + Math.max(until.getTime() - this.#clock.now().getTime(), 0)
    const round = Math.floor(endsMs / ROUND_MS) + 1
    const ending = this.#rounds.get(round)
    if (ending === undefined) this.#rounds.set(round, [[sender, proofId]])
    else ending.push([sender, proofId])
  }

  #forget(nowMs: number): void {
    if (nowMs < this.#forgetAtMs) return
    this.#forgetAtMs = (Math.floor(nowMs / ROUND_MS) + 1) * ROUND_MS
    for (const [round, ended] of this.#rounds) {
      if (round * ROUND_MS > nowMs) continue
      for (const [sender, proofId] of ended) this.#forgetOne(sender, proofId)
      this.#rounds.delete(round)
    }
  }

  #forgetOne(sender: string, proofId: string): void {
    const used = this.#senders.get(sender)
    if (used?.delete(proofId) !== true) return
    this.#size--
    if (used.size === 0) this.#senders.delete(sender)
  }
}

function full(why: string): SallyportError {
  return new SallyportError('REPLAY_CACHE_FULL', `Cannot remember another proof: ${why}`)
}
