import type { SpiffeId } from '../id/spiffe-id.ts'
import type { X509Svid } from '../svid/x509-svid.ts'

/** Who is at the other end of a connection, as its handshake and our verification have proven. */
export interface VerifiedPeer {
  readonly id: SpiffeId
  /** What it presented: a chain without a key. */
  readonly svid: X509Svid
  /** The proof holds from here, the latest start of any certificate between the peer and its authority, … */
  readonly notBefore: Date
  /** … to here, the earliest end. */
  readonly notAfter: Date
}
