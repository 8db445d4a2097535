import type { BundleSet } from '../../src/bundle/bundle-set.ts'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { verifyX509Svid } from '../../src/svid/verify-x509-svid.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'

/** Checks the chain (DER, leaf first) that a server presents; throws to refuse it. */
export type VerifyServer = (presentedChain: readonly Buffer[]) => Promise<void>

const serverIdOf = (trustDomain: TrustDomain): SpiffeId => SpiffeId.of(trustDomain, '/spire/server')

/**
 * Accepts a server of the trust domain whose SVID one of the bundles verifies. Several candidates, since what the agent saved may be
 * older than what an administrator has put into the trust bundle file.
 */
export function verifyServerWith(deps: {
  readonly trustDomain: TrustDomain
  readonly candidates: () => AsyncIterable<BundleSet>
  readonly clock: Clock
  readonly cryptography: Cryptography
}): VerifyServer {
  const wanted = serverIdOf(deps.trustDomain)
  return async (presentedChain) => {
    const chain = presentedChain.map((der) => decodeCertificate(der))
    let refusal: unknown = new SallyportError('CERTIFICATE_UNTRUSTED', 'Cannot verify the server: no bundle is known')
    for await (const bundles of deps.candidates()) {
      try {
        const { spiffeId } = await verifyX509Svid(chain, bundles, deps.clock.now(), deps.cryptography)
        if (!spiffeId.equals(wanted)) throw notTheServer(wanted, spiffeId.toString())
        return
      } catch (error) {
        refusal = error
      }
    }
    // Not the code of the cause: that would read as if the server had refused us.
    const why = refusal instanceof Error ? refusal.message : String(refusal)
    throw new SallyportError('SERVER_UNTRUSTED', `Cannot trust the server: ${why}`, { cause: refusal })
  }
}

/** Insecure bootstrap: anybody whose certificate says that it is the server (client-quirks 41). */
export function verifyServerName(trustDomain: TrustDomain): VerifyServer {
  const wanted = serverIdOf(trustDomain).toString()
  return async ([leaf]) => {
    const uris = leaf === undefined ? [] : decodeCertificate(leaf).uriSans
    if (uris.length !== 1 || uris[0] !== wanted) throw notTheServer(wanted, uris.join(', '))
  }
}

function notTheServer(wanted: unknown, seen: string): SallyportError {
  return new SallyportError(
    'PEER_REFUSED',
    `Cannot accept ${seen || 'a certificate without an id'} as ${String(wanted)}`,
  )
}
