import { constants } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls'
import type { BundleSet } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import { printPem } from '../x509/pem.ts'

export const DEFAULT_MIN_VERSION = 'TLSv1.3' satisfies SecureVersion

/**
 * What the TLS engine presents for an SVID. No tickets, because a resumed session skips certificates and their expiry; no
 * authorities, so that the engine by itself vouches for nobody.
 */
export function contextOptions(svid: X509Svid, minVersion: SecureVersion = DEFAULT_MIN_VERSION) {
  if (svid.privateKey === undefined) {
    throw new SallyportError('X509_SVID_INVALID', `Cannot present ${svid.spiffeId}: its private key is not held here`)
  }
  return {
    key: svid.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: Buffer.from(printPem(svid.chain)),
    ca: [],
    minVersion,
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  } satisfies SecureContextOptions
}

const contexts = new WeakMap<X509Svid, SecureContext>()

/** One context for each SVID: making one costs as much as a signature. For those who verify the peer themselves. */
export function secureContextOf(svid: X509Svid): SecureContext {
  const known = contexts.get(svid)
  if (known !== undefined) return known
  const context = createSecureContext(contextOptions(svid))
  contexts.set(svid, context)
  return context
}

const pooledContexts = new WeakMap<X509Svid, { readonly bundles: BundleSet; readonly context: SecureContext }>()

/**
 * A context in which the engine too verifies, against the authorities of all trust domains in one pool. That alone would let
 * any trust domain vouch for any other: for those whose own verification only begins where the engine has agreed.
 */
export function pooledContextOf(svid: X509Svid, bundles: BundleSet): SecureContext {
  const known = pooledContexts.get(svid)
  if (known?.bundles === bundles) return known.context
  const authorities = bundles.values().flatMap(({ x509Authorities }) => x509Authorities)
  const ca = authorities.map(({ certificate }) => printPem([certificate]))
  // Authorities of a trust domain need not be self-signed.
  const context = createSecureContext({ ...contextOptions(svid), ca, allowPartialTrustChain: true })
  pooledContexts.set(svid, { bundles, context })
  return context
}
