import type { BundleSet } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import type { Cryptography } from '../key/cryptography.ts'
import type { Certificate } from '../x509/certificate.ts'
import { verifyChain } from '../x509/verify-chain.ts'
import { checkX509SvidLeaf, type LeafTolerance } from './x509-svid-leaf.ts'
import { X509_SVID_MAX_CHAIN, type X509Svid } from './x509-svid.ts'

/**
 * Verifies a chain that a peer presented, leaf first: against the authorities of the trust domain that the leaf names and of no other.
 *
 * @returns the identity that was proven; whether it is welcome is for the caller to decide
 * @throws {@link SallyportError} `X509_SVID_INVALID`, `BUNDLE_UNKNOWN`, `CERTIFICATE_UNTRUSTED`, `CERTIFICATE_EXPIRED`, `CERTIFICATE_INVALID`
 * @see X509-SVID.md §5; RFC 5280 §6
 */
export async function verifyX509Svid(
  chain: readonly Certificate[],
  bundles: BundleSet,
  now: Date,
  cryptography: Cryptography,
  tolerance: LeafTolerance = {},
): Promise<X509Svid> {
  const [leaf, ...intermediates] = chain
  if (leaf === undefined)
    throw new SallyportError('X509_SVID_INVALID', 'Cannot accept X509-SVID: no certificate was presented')
  if (chain.length > X509_SVID_MAX_CHAIN) {
    throw new SallyportError(
      'X509_SVID_INVALID',
      `Cannot accept X509-SVID: more than ${X509_SVID_MAX_CHAIN} certificates`,
    )
  }
  const spiffeId = checkX509SvidLeaf(leaf, tolerance)
  const bundle = bundles.get(spiffeId.trustDomain)
  if (bundle === undefined) {
    throw new SallyportError(
      'BUNDLE_UNKNOWN',
      `Cannot verify ${spiffeId}: no bundle of ${spiffeId.trustDomain.name} is known`,
    )
  }
  const authorities = bundle.x509Authorities.map(({ certificate }) => certificate)
  await verifyChain({ chain: [leaf, ...intermediates], authorities, now, cryptography })
  return { spiffeId, chain: [leaf, ...intermediates], privateKey: undefined, hint: '' }
}
