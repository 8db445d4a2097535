import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import type { Cryptography } from '../key/cryptography.ts'
import { verifyX509Svid } from '../svid/verify-x509-svid.ts'
import { X509_SVID_MAX_CHAIN, type X509Svid } from '../svid/x509-svid.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import type { TlsSource } from './tls-source.ts'

/** What verifying a peer takes. */
export interface PeerVerification {
  readonly source: TlsSource
  readonly clock: Clock
  readonly cryptography: Cryptography
}

/**
 * Verifies who is at the other end of a finished handshake, which has proven that the peer holds the key of its certificate.
 *
 * @throws {@link SallyportError} `PEER_CERTIFICATE_MISSING`, `PEER_REFUSED`, and those of `verifyX509Svid`
 */
export async function verifyPeer(
  socket: TLSSocket,
  wanted: IdMatcher,
  { source, clock, cryptography }: PeerVerification,
): Promise<X509Svid> {
  const chain = presentedChain(socket).map((der) => decodeCertificate(der))
  if (chain.length === 0)
    throw new SallyportError('PEER_CERTIFICATE_MISSING', 'Cannot verify the peer: it presented no certificate')
  const peer = await verifyX509Svid(chain, source.current().bundles, clock.now(), cryptography)
  if (wanted.matches(peer.spiffeId)) return peer
  throw new SallyportError('PEER_REFUSED', `Cannot talk to ${peer.spiffeId}: wanted is ${wanted.wants}`)
}

/** The certificates that a peer sent (DER), leaf first, as far as they follow from each other. */
export function presentedChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = []
  let next: X509Certificate | undefined = socket.getPeerX509Certificate()
  while (next !== undefined && chain.length <= X509_SVID_MAX_CHAIN) {
    if (chain.at(-1)?.equals(next.raw) === true) break
    chain.push(next.raw)
    next = next.issuerCertificate
  }
  return chain
}
