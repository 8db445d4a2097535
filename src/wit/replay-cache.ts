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

interface UsedProof {
  readonly sender: string
  readonly proofId: string
  /** By the wall clock. */
  readonly untilMs: number
}

/**
 * Remembers the proofs that were used, each for as long as it could be used again, so that none is used twice in this process.
 * Other processes of the same service each remember their own.
 *
 * A proof is over when the wall clock and the time since the start both say so. Should the wall clock be set back later, by more than
 * proofs live, those that were forgotten could be used again: then nothing is accepted that ends no later than they did, until the
 * wall clock is where it was.
 *
 * When it is full, new proofs are refused (`REPLAY_CACHE_FULL`, 503) until older ones have ended: what is not remembered could be
 * used twice.
 */
export class ReplayCache {
  readonly #maxProofs: number
  readonly #maxPerSender: number
  readonly #clock: Clock
  readonly #senders = new Map<string, Set<string>>()
  /** What is over when by the time since the start, by the number of the round after it. */
  readonly #rounds = new Map<number, UsedProof[]>()
  /** What is over by the time since the start, and was not yet by the wall clock when that was looked at last. */
  #late: UsedProof[] = []
  /** The latest end of all that was forgotten. */
  #forgottenUntilMs = -Infinity
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
   * @throws {@link SallyportError} `WIT_PROOF_REPLAYED` when it was used before or may have been, `REPLAY_CACHE_FULL`
   */
  use(sender: string, proofId: string, until: Date): void {
    const nowMs = this.#clock.monotonicMs()
    const wallMs = this.#clock.now().getTime()
    const untilMs = until.getTime()
    this.#forget(nowMs, wallMs)
    const used = this.#senders.get(sender) ?? new Set()
    if (used.has(proofId))
      throw new SallyportError('WIT_PROOF_REPLAYED', `Cannot accept a proof of ${sender}: it was used before`)
    if (untilMs <= this.#forgottenUntilMs) {
      const by = new Date(this.#forgottenUntilMs).toISOString()
      throw new SallyportError(
        'WIT_PROOF_REPLAYED',
        `Cannot accept a proof of ${sender}: it may have been used before the clock of this service was set back from ${by}`,
        {
          hint: 'Look at the clock of the service: once it is right, what it accepts ends later, or start the service anew.',
        },
      )
    }
    if (this.#size >= this.#maxProofs) throw full(`it holds ${this.#size} proofs`)
    if (used.size >= this.#maxPerSender) throw full(`it holds ${used.size} proofs of ${sender} alone`)
    this.#senders.set(sender, used.add(proofId))
    this.#size++
    const endsMs = nowMs + Math.max(untilMs - wallMs, 0)
    const round = Math.floor(endsMs / ROUND_MS) + 1
    const ending = this.#rounds.get(round)
    const proof = { sender, proofId, untilMs }
    if (ending === undefined) this.#rounds.set(round, [proof])
    else ending.push(proof)
  }

  /** Each clock alone may be wrong: the wall clock jumps, and what is set back lets live again what had ended. */
  #forget(nowMs: number, wallMs: number): void {
    if (nowMs < this.#forgetAtMs) return
    this.#forgetAtMs = (Math.floor(nowMs / ROUND_MS) + 1) * ROUND_MS
    for (const [round, ended] of this.#rounds) {
      if (round * ROUND_MS > nowMs) continue
      this.#late = this.#late.concat(ended)
      this.#rounds.delete(round)
    }
    const { over = [], late = [] } = Object.groupBy(this.#late, ({ untilMs }) => (untilMs <= wallMs ? 'over' : 'late'))
    for (const proof of over) this.#forgetOne(proof)
    this.#late = late
  }

  #forgetOne({ sender, proofId, untilMs }: UsedProof): void {
    this.#forgottenUntilMs = Math.max(this.#forgottenUntilMs, untilMs)
    const used = this.#senders.get(sender)
    if (used?.delete(proofId) !== true) return
    this.#size--
    if (used.size === 0) this.#senders.delete(sender)
  }
}

function full(why: string): SallyportError {
  return new SallyportError('REPLAY_CACHE_FULL', `Cannot remember another proof: ${why}`)
}
