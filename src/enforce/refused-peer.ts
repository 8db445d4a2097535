import { type ErrorCode, isSallyportError } from '../errors.ts'
import type { PeerFacts } from '../policy/request.ts'
import { verifyChainNow } from '../x509/verify-chain.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import type { Certificate } from '../x509/certificate.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { presentedChain, type PresentedCertificate } from '../tls/verify-peer.ts'

type Refusal = Extract<PeerFacts, { readonly refused: string }>['refused']

const refusals: Partial<Record<ErrorCode, Refusal>> = {
  PEER_CERTIFICATE_MISSING: 'NO_PEER_IDENTITY',
  X509_SVID_INVALID: 'SVID_MALFORMED',
  CERTIFICATE_INVALID: 'SVID_MALFORMED',
  SPIFFE_ID_INVALID: 'SVID_MALFORMED',
  BUNDLE_UNKNOWN: 'UNKNOWN_TRUST_DOMAIN',
}

/**
 * What a handshake failed to prove (ZO-01). Undefined for what is no fault of a certificate, such as a connection that broke off.
 *
 * @param presented the certificate that the peer showed
 */
export function refusedPeer(
  error: Error,
  presented: PresentedCertificate | undefined,
  source: TlsSource,
  now: Date,
): PeerFacts | undefined {
  if (!isSallyportError(error)) return undefined
  const refused = refusals[error.code]
  if (refused !== undefined) return { refused }
  if (error.code !== 'CERTIFICATE_UNTRUSTED' && error.code !== 'CERTIFICATE_EXPIRED') return undefined
  const chain = presented === undefined ? [] : presentedChain(presented).map((der) => decodeCertificate(der))
  const claimedId = chain[0]?.uriSans[0]
  if (error.code === 'CERTIFICATE_EXPIRED') {
    const isEarly = chain.some(({ notBefore }) => notBefore > now)
    return { refused: isEarly ? 'CHAIN_INVALID' : 'SVID_EXPIRED', claimedId }
  }
  return { refused: isOfAnother(chain, source, now) ? 'TRUST_DOMAIN_MISMATCH' : 'CHAIN_INVALID', claimedId }
}

/** Would the bundle of any other trust domain have vouched for it? */
function isOfAnother(chain: readonly Certificate[], source: TlsSource, now: Date): boolean {
  const [leaf, ...intermediates] = chain
  if (leaf === undefined) return false
  return source
    .current()
    .bundles.values()
    .some(({ x509Authorities }) => {
      try {
        const authorities = x509Authorities.map(({ certificate }) => certificate)
        verifyChainNow({ chain: [leaf, ...intermediates], authorities, now })
        return true
      } catch {
        return false
      }
    })
}
