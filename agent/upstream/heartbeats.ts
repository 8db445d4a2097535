import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import { type Heartbeat, heartbeatContentType } from '../../src/wire/messages/sallyport-sync-v1.ts'

/** A heartbeat is a few dozen bytes. */
const HEARTBEAT_MAX_BYTES = 4096

export interface VerifiedHeartbeat {
  readonly epoch: string
  readonly revision: number
  readonly serverTime: Date
  /** SHA-256 of the key that signed, hex. */
  readonly keyId: string
  readonly checkpoint: { readonly sequence: number; readonly hash: Buffer } | undefined
  readonly policyEpoch: number
  /** 0 while the server has no policy. */
  readonly policyRevision: number
  readonly fastLaneSequence: number
  /** It was made for this stream, or after one that was: it cannot be a recording (SE-41). */
  readonly isFresh: boolean
}

/** Reads the signed heartbeats of one stream; the stream itself vouches for the key that its first one brings. */
export class HeartbeatReader {
  readonly #cryptography: Cryptography
  #key: { readonly id: Buffer; readonly publicKey: KeyObject } | undefined
  readonly #nonce: Buffer
  #lastTimeMs = 0
  /** The first heartbeat named the hello of this stream. */
  #isLive: boolean | undefined

  /** @param nonce of the hello */
  constructor(cryptography: Cryptography, nonce: Buffer) {
    this.#cryptography = cryptography
    this.#nonce = nonce
  }

  /** @throws {@link SallyportError} `HEARTBEAT_INVALID` */
  async verify(heartbeat: Heartbeat): Promise<VerifiedHeartbeat> {
    if (heartbeat.content.length > HEARTBEAT_MAX_BYTES) throw invalid('it is too long')
    this.#key ??= keyOf(heartbeat)
    const { id, publicKey } = this.#key
    if (!heartbeat.keyId.equals(id)) throw invalid('another key signed it than the first one of this stream')
    if (!(await this.#cryptography.verify('EdDSA', publicKey, heartbeat.content, heartbeat.signature, 'der'))) {
      throw invalid('its signature is wrong')
    }
    const content = decodeMessage(heartbeatContentType, heartbeat.content)
    if (content.serverTimeMs < this.#lastTimeMs) throw invalid('its time is before that of the last one')
    const isLater = content.serverTimeMs > this.#lastTimeMs
    this.#lastTimeMs = content.serverTimeMs
    this.#isLive ??= content.nonce.equals(this.#nonce)
    return {
      epoch: content.epoch,
      revision: content.revision,
      serverTime: new Date(content.serverTimeMs),
      keyId: id.toString('hex'),
      checkpoint: content.checkpoint ?? undefined,
      policyEpoch: content.policyEpoch,
      policyRevision: content.policyRevision,
      fastLaneSequence: content.fastLaneSequence,
      isFresh: this.#isLive && isLater,
    }
  }
}

function keyOf({ publicKey, keyId }: Heartbeat): { id: Buffer; publicKey: KeyObject } {
  if (publicKey.length === 0) throw invalid('the first one of the stream brings no key')
  if (!createHash('sha256').update(publicKey).digest().equals(keyId))
    throw invalid('its key is not the one that it names')
  try {
    const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
    if (key.asymmetricKeyType === 'ed25519') return { id: keyId, publicKey: key }
  } catch (error) {
    throw invalid('its key cannot be read', error)
  }
  throw invalid('its key is not Ed25519')
}

const invalid = (why: string, cause?: unknown): SallyportError =>
  new SallyportError('HEARTBEAT_INVALID', `Cannot accept heartbeat: ${why}`, { cause })
