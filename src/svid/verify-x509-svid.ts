import type { Bundle } from '../bundle/bundle.ts'
import type { BundleSet } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import type { Cryptography } from '../key/cryptography.ts'
import type { Certificate } from '../x509/certificate.ts'
import { type PathToVerify, verifyChain, verifyChainNow } from '../x509/verify-chain.ts'
import { checkX509SvidLeaf, type LeafTolerance } from './x509-svid-leaf.ts'
import { X509_SVID_MAX_CHAIN, type X509Svid } from './x509-svid.ts'

/**
 * Verifies a chain that a peer presented, leaf first: against the authorities of the trust domain that the leaf names and of no other.
 *
 * @returns the identity that was proven; whether it is welcome is for the caller to decide
 * @throws {@link SallyportError} `X509_SVID_INVALID`, `BUNDLE_UNKNOWN`, `CERTIFICATE_UNTRUSTED`, `CERTIFICATE_EXPIRED`, `CERTIFICATE_INVALID`,
 *   `CERTIFICATE_REVOKED`
 * @see X509-SVID.md §5; RFC 5280 §6
 */
export async function verifyX509Svid(
  chain: readonly Certificate[],
  bundles: BundleSet,
  now: Date,
  cryptography: Cryptography,
  tolerance: LeafTolerance = {},
): Promise<X509Svid> {
  const claim = claimOf(chain, bundles, now, tolerance)
  await verifyChain({ ...claim.path, cryptography })
  return claim.svid
}

/** A proven identity, with the bundle that proved it and until when it does. */
export interface VerifiedX509Svid {
  readonly svid: X509Svid
  readonly bundle: Bundle
  /** The latest start and the earliest end of all certificates from the leaf to the authority, and of the revocation lists. */
  readonly notBefore: Date
  readonly notAfter: Date
}

/** {@link verifyX509Svid} in one go, for TLS, where data must not arrive before the answer. */
export function verifyX509SvidNow(
  chain: readonly Certificate[],
  bundles: BundleSet,
  now: Date,
  tolerance: LeafTolerance = {},
): VerifiedX509Svid {
  const { svid, bundle, path } = claimOf(chain, bundles, now, tolerance)
  const proof = verifyChainNow(path)
  const notBefore = new Date(Math.max(...proof.map((certificate) => certificate.notBefore.getTime())))
  const dueMs = (bundle.crls ?? [])
    .map(({ nextUpdate }) => nextUpdate?.getTime() ?? Infinity)
    .filter((ms) => ms > now.getTime())
  const notAfter = new Date(Math.min(...proof.map((certificate) => certificate.notAfter.getTime()), ...dueMs))
  return { svid, bundle, notBefore, notAfter }
}

/** Who a chain says it is, and what must be shown for that. */
function claimOf(
  chain: readonly Certificate[],
  bundles: BundleSet,
  now: Date,
  tolerance: LeafTolerance,
): { readonly svid: X509Svid; readonly bundle: Bundle; readonly path: PathToVerify } {
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
  return {
    svid: { spiffeId, chain: [leaf, ...intermediates], privateKey: undefined, hint: '' },
    bundle,
    path: { chain: [leaf, ...intermediates], authorities, now, crls: bundle.crls },
  }
}
