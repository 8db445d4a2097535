import type { SignedPolicyKeys, SignedSlice } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { FastLane, PolicyDelta, PolicySnapshot, ServerMessage } from '../../src/wire/messages/sallyport-sync-v1.ts'

/** All slices of this agent's identities, put together from their chunks. */
export interface PushedSlices {
  readonly kind: 'policySnapshot'
  readonly epoch: number
  readonly revision: number
  readonly slices: readonly SignedSlice[]
  readonly digest: Buffer
  readonly keys: SignedPolicyKeys | null
}

export type PushedPolicy =
  PushedSlices | ({ readonly kind: 'policyDelta' } & PolicyDelta) | ({ readonly kind: 'fastLane' } & FastLane)

/** Slices of one snapshot that an agent takes at most: a server that sends more is not one of ours. */
const SNAPSHOT_MAX_BYTES = 256 * 1024 * 1024

/** Reads what a stream says of policy; the chunks of a snapshot come one after another. */
export class PolicyReading {
  #chunks: PolicySnapshot[] = []
  #bytes = 0

  /** Undefined for a message that says nothing of policy, or not everything yet. */
  read({ policySnapshot, policyDelta, fastLane }: ServerMessage): PushedPolicy | undefined {
    if (fastLane) return { kind: 'fastLane', ...fastLane }
    if (policyDelta) return { kind: 'policyDelta', ...policyDelta }
    return policySnapshot ? this.#add(policySnapshot) : undefined
  }

  #add(chunk: PolicySnapshot): PushedSlices | undefined {
    const [first] = this.#chunks
    if (first !== undefined && (first.epoch !== chunk.epoch || first.revision !== chunk.revision)) this.#clear()
    this.#chunks.push(chunk)
    this.#bytes += chunk.slices.reduce((sum, { content }) => sum + content.length, 0)
    if (this.#bytes > SNAPSHOT_MAX_BYTES) throw new RangeError('a snapshot of policy is too large')
    if (!chunk.last) return undefined
    const chunks = this.#chunks
    this.#clear()
    const { epoch, revision, digest } = chunk
    // They may have changed while the chunks were made.
    const keys = chunks.findLast((one) => one.keys !== null)?.keys ?? null
    return { kind: 'policySnapshot', epoch, revision, digest, keys, slices: chunks.flatMap(({ slices }) => slices) }
  }

  #clear(): void {
    this.#chunks = []
    this.#bytes = 0
  }
}
