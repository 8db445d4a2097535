import { hash } from 'node:crypto'
import { encodeMessage } from '../../src/wire/encode-message.ts'
import { heartbeatContentType, type ServerMessage } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { SyncDeps } from './sync-deps.ts'

/** How often connected agents hear that the server lives, and at which revision it stands. */
export const HEARTBEAT_MS = 5000

/** One heartbeat, for every stream the same objects: it is encoded and signed once however many agents listen. */
export interface Beat {
  readonly revision: number
  readonly message: Sent<ServerMessage>
  /** For the first heartbeat of a stream: with the key that signs. */
  readonly withKey: Sent<ServerMessage>
}

/** Makes the heartbeats of this server, each with the head of the audit journal, so that agents hold evidence of it (SE-22). */
export class Heartbeats {
  readonly #deps: Pick<SyncDeps, 'store' | 'clock' | 'checkpointSigner'>
  readonly #keyId: Buffer
  #last: Beat | undefined

  constructor(deps: Pick<SyncDeps, 'store' | 'clock' | 'checkpointSigner'>) {
    this.#deps = deps
    this.#keyId = hash('sha256', deps.checkpointSigner.publicKey, 'buffer')
  }

  /** The newest heartbeat, made when there was none yet. */
  async latest(revision: number): Promise<Beat> {
    return this.#last ?? this.beat(revision)
  }

  async beat(revision: number): Promise<Beat> {
    const { store, clock, checkpointSigner } = this.#deps
    const content = encodeMessage(heartbeatContentType, {
      epoch: store.epoch,
      revision,
      serverTimeMs: clock.now().getTime(),
      fastLaneSequence: 0,
      checkpoint: store.auditHead(),
    })
    const signature = await checkpointSigner.sign(content)
    const heartbeat = { content, signature, keyId: this.#keyId, publicKey: Buffer.alloc(0) }
    this.#last = {
      revision,
      message: { heartbeat },
      withKey: { heartbeat: { ...heartbeat, publicKey: checkpointSigner.publicKey } },
    }
    return this.#last
  }
}
