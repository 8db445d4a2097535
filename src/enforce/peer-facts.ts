import type { PeerFacts } from '../policy/request.ts'
import type { VerifiedPeer } from '../tls/verified-peer.ts'

/** What policy asks of a peer that a handshake has proven. */
export function peerFacts({ id, svid, notAfter }: VerifiedPeer): PeerFacts {
  return {
    spiffeId: id.toString(),
    serialNumber: svid.chain[0].serialNumber.toString(16),
    notAfter: notAfter.getTime(),
  }
}
