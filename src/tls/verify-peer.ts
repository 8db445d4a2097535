import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import { verifyX509SvidNow } from '../svid/verify-x509-svid.ts'
import { X509_SVID_MAX_CHAIN } from '../svid/x509-svid.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import type { TlsSource } from './tls-source.ts'
import { Verdicts } from './verdicts.ts'
import type { VerifiedPeer } from './verified-peer.ts'

/** What verifying a peer takes. */
export interface PeerVerification {
  readonly source: TlsSource
  readonly clock: Clock
}

/** A certificate as `node:tls` shows it, in either of its two forms: DER, and the one that issued it. */
export interface PresentedCertificate {
  readonly raw: Buffer
  readonly issuerCertificate?: PresentedCertificate | undefined
}

const verdictsBySource = new WeakMap<TlsSource, Verdicts>()

/**
 * Verifies who is at the other end of a finished handshake, which has proven that the peer holds the key of `leaf`. At once:
 * until it returns, no byte of the peer is read and none is written to it.
 *
 * @throws {@link SallyportError} `PEER_CERTIFICATE_MISSING`, `PEER_REFUSED`, those of `verifyX509Svid` and of the source
 */
export function verifyPeer(
  leaf: PresentedCertificate | undefined,
  wanted: IdMatcher,
  verification: PeerVerification,
): VerifiedPeer {
  if (leaf === undefined)
    throw new SallyportError('PEER_CERTIFICATE_MISSING', 'Cannot verify the peer: it presented no certificate')
  const peer = provenPeer(leaf, verification)
  if (wanted.matches(peer.id)) return peer
  throw new SallyportError('PEER_REFUSED', `Cannot talk to ${peer.id}: wanted is ${wanted.wants}`)
}

function provenPeer(leaf: PresentedCertificate, { source, clock }: PeerVerification): VerifiedPeer {
  const [{ bundles }, now, verdicts] = [source.current(), clock.now(), verdictsOf(source)]
  const known = verdicts.recall(leaf.raw, bundles, now)
  if (known !== undefined) return known
  const chain = presentedChain(leaf).map((der) => decodeCertificate(der))
  const { svid, bundle, notBefore, notAfter } = verifyX509SvidNow(chain, bundles, now)
  const peer = { id: svid.spiffeId, svid, notBefore, notAfter }
  verdicts.keep(peer, bundle, now)
  return peer
}

function verdictsOf(source: TlsSource): Verdicts {
  const known = verdictsBySource.get(source)
  if (known !== undefined) return known
  const verdicts = new Verdicts()
  verdictsBySource.set(source, verdicts)
  return verdicts
}

/** The certificates that a peer sent (DER), leaf first, as far as they follow from each other. */
export function presentedChain(leaf: PresentedCertificate): Buffer[] {
  const chain: Buffer[] = []
  let next: PresentedCertificate | undefined = leaf
  while (next !== undefined && chain.length <= X509_SVID_MAX_CHAIN) {
    // A self-signed certificate is its own issuer.
    if (chain.at(-1)?.equals(next.raw) === true) break
    chain.push(next.raw)
    next = next.issuerCertificate
  }
  return chain
}
