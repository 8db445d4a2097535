import { SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import type { WitSvid } from './wit-svid.ts'

/** Who has sent a message, as a WIT-SVID and a proof of its key say. */
export interface WitPeer {
  readonly spiffeId: SpiffeId
  readonly svid: WitSvid
  /** What has proven it. A signature covers the message, a token that it is for this address. */
  readonly proof: 'token' | 'signature'
  /** The body that the signature covers; undefined where there is no signature, and the body is still to be read. */
  readonly body: Buffer | undefined
  /** The headers whose tokens the proof covers, in lower case. Do not authorize anything by another one. */
  readonly coveredTokens: ReadonlySet<string>
}

const peers = new WeakMap<object, WitPeer>()

/** Takes note of who has sent a message. */
export function setWitPeer(message: object, peer: WitPeer): void {
  peers.set(message, peer)
}

/**
 * Who has sent a request that {@link requireWit} let in, or has signed a response of {@link witFetch}.
 *
 * @throws {@link SallyportError} `PEER_NOT_VERIFIED`
 */
export function witPeerOf(message: object): WitPeer {
  const peer = peers.get(message)
  if (peer !== undefined) return peer
  throw new SallyportError('PEER_NOT_VERIFIED', 'Cannot say who has sent this: no WIT-SVID of it was verified', {
    hint: 'Let requireWit() answer before the handler asks; of a response, ask witFetch() for a signed one.',
  })
}
