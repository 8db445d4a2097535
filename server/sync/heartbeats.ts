import { hash } from 'node:crypto'
import { encodeMessage } from '../../src/wire/encode-message.ts'
import { heartbeatContentType, type ServerMessage } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { SyncDeps } from './sync-deps.ts'

/** How often connected agents hear that the server lives, and at which revision it stands. */
export const HEARTBEAT_MS = 5000

/** One heartbeat. Those for every stream are the same objects: encoded and signed once however many agents listen. */
export interface Beat {
  readonly revision: number
  readonly message: Sent<ServerMessage>
}

type HeartbeatDeps = Pick<SyncDeps, 'store' | 'clock' | 'checkpointSigner' | 'policy'>

/** Makes the heartbeats of this server, each with the head of the audit journal, so that agents hold evidence of it (SE-22). */
export class Heartbeats {
  readonly #deps: HeartbeatDeps
  readonly #keyId: Buffer
  #lastTimeMs = 0

  constructor(deps: HeartbeatDeps) {
    this.#deps = deps
    this.#keyId = hash('sha256', deps.checkpointSigner.publicKey, 'buffer')
  }

  /** For all streams. */
  async beat(revision: number): Promise<Beat> {
    const { content, signature } = await this.#signed(revision, NO_NONCE)
    return { revision, message: { heartbeat: { content, signature, keyId: this.#keyId, publicKey: NO_NONCE } } }
  }

  /** The first of one stream: with the key that signs, and with the nonce of its hello, so that it cannot be an old one (SE-41). */
  async first(revision: number, nonce: Buffer): Promise<Beat> {
    const { publicKey } = this.#deps.checkpointSigner
    const { content, signature } = await this.#signed(revision, nonce)
    return { revision, message: { heartbeat: { content, signature, keyId: this.#keyId, publicKey } } }
  }

  async #signed(revision: number, nonce: Buffer): Promise<{ readonly content: Buffer; readonly signature: Buffer }> {
    const { store, checkpointSigner, policy } = this.#deps
    const content = encodeMessage(heartbeatContentType, {
      epoch: store.epoch,
      revision,
      serverTimeMs: this.#nextTimeMs(),
      fastLaneSequence: policy?.book.fastLaneSequence ?? 0,
      checkpoint: store.auditHead(),
      nonce,
      policyEpoch: policy?.book.epoch ?? 0,
      policyRevision: policy?.book.policyRevision ?? 0,
    })
    return { content, signature: await checkpointSigner.sign(content) }
  }

  /** Later than every one before, also when the wall clock jumped back: what is not later is a replay (SE-41). */
  #nextTimeMs(): number {
    this.#lastTimeMs = Math.max(this.#lastTimeMs + 1, this.#deps.clock.now().getTime())
    return this.#lastTimeMs
  }
}

const NO_NONCE = Buffer.alloc(0)
