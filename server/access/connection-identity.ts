import type { Bundle } from '../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { verifyX509Svid } from '../../src/svid/verify-x509-svid.ts'
import type { Connection } from '../../src/wire/call.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { keyHashOf } from '../../src/x509/rejoin-payload.ts'
import { checkX509SvidLeaf } from '../../src/svid/x509-svid-leaf.ts'

/** What a connection's certificate proved when it was verified. */
export interface ProvenIdentity {
  readonly spiffeId: SpiffeId
  /** Decimal. */
  readonly serialNumber: string
  /** Of the certificate's key. */
  readonly keyHash: string
  /** End of the certificate of its chain that ends first. */
  readonly expiresAt: Date
}

type TlsConnection = Extract<Connection, { transport: 'tls' }>

type Chain = readonly [Certificate, ...Certificate[]]

interface Verified {
  readonly outcome: ProvenIdentity | SallyportError
  /** What it was verified with. */
  readonly bundle: Bundle | undefined
}

export interface IdentityDeps {
  readonly directory: { bundle(trustDomain: string): Bundle | undefined }
  readonly clock: Clock
  readonly cryptography: Cryptography
}

/**
 * Verifies the chain of each connection once, and again only when the bundle that vouched for it has lost an authority: signatures are
 * the expensive part of knowing a caller. That the identity has not expired is checked on every question.
 */
export class ConnectionIdentities {
  readonly #deps: IdentityDeps
  readonly #claimed = new WeakMap<Connection, SpiffeId>()
  readonly #verified = new WeakMap<Connection, Verified>()

  constructor(deps: IdentityDeps) {
    this.#deps = deps
  }

  /**
   * Who the peer is; undefined when it presented nothing.
   *
   * @throws {@link SallyportError} why its certificate proves nothing (any more)
   */
  async of(connection: TlsConnection): Promise<ProvenIdentity | undefined> {
    const presented = connection.presentedChain
    if (presented === undefined || presented.length === 0) return undefined
    // Not kept: a thousand connections would hold 10 MB of certificates that are hardly looked at again.
    let chain: Chain | undefined
    let spiffeId = this.#claimed.get(connection)
    if (spiffeId === undefined) {
      chain = decodeChain(presented)
      spiffeId = checkX509SvidLeaf(chain[0])
      this.#claimed.set(connection, spiffeId)
    }
    const bundle = this.#deps.directory.bundle(spiffeId.trustDomain.name)
    let verified = this.#verified.get(connection)
    if (verified === undefined || !standsWith(verified, bundle)) {
      verified = { outcome: await this.#verify(chain ?? decodeChain(presented), bundle), bundle }
    } else if (verified.bundle !== bundle) {
      verified = { outcome: verified.outcome, bundle }
    }
    this.#verified.set(connection, verified)
    if (verified.outcome instanceof SallyportError) throw verified.outcome
    if (verified.outcome.expiresAt <= this.#deps.clock.now()) throw expired(spiffeId)
    return verified.outcome
  }

  /** The id that the certificate claims, proven or not: only for choosing words of a refusal. */
  claimedId(connection: TlsConnection): SpiffeId | undefined {
    return this.#claimed.get(connection)
  }

  /** How the audit journal names the peer: what was never proven is marked as such. */
  nameOf(connection: TlsConnection): string {
    const outcome = this.#verified.get(connection)?.outcome
    if (outcome !== undefined && !(outcome instanceof SallyportError)) return outcome.spiffeId.toString()
    const claimed = this.claimedId(connection)
    return claimed === undefined ? `anyone:${connection.address}` : `unproven:${claimed}:${connection.address}`
  }

  async #verify(chain: Chain, bundle: Bundle | undefined): Promise<ProvenIdentity | SallyportError> {
    const { clock, cryptography } = this.#deps
    try {
      const bundles = bundleSetOf(bundle === undefined ? [] : [bundle])
      const { spiffeId } = await verifyX509Svid(chain, bundles, clock.now(), cryptography)
      const end = Math.min(...chain.map(({ notAfter }) => notAfter.getTime()))
      const [leaf] = chain
      return {
        spiffeId,
        serialNumber: leaf.serialNumber.toString(),
        keyHash: keyHashOf(leaf.spki),
        expiresAt: new Date(end),
      }
    } catch (error) {
      if (error instanceof SallyportError) return error
      throw error
    }
  }
}

function decodeChain(presented: readonly Buffer[]): Chain {
  const [leaf, ...rest] = presented.map((der) => decodeCertificate(der))
  if (leaf === undefined) throw new SallyportError('CALLER_UNPROVEN', 'Cannot accept the caller: no certificate')
  return [leaf, ...rest]
}

/**
 * Does what was verified with one bundle hold with another? Yes while no authority has gone; a refusal only while nothing changed, and
 * none that came of the time: the wall clock may have been wrong.
 */
function standsWith({ outcome, bundle: then }: Verified, now: Bundle | undefined): boolean {
  if (outcome instanceof SallyportError && outcome.code === 'CERTIFICATE_EXPIRED') return false
  if (then === now) return true
  if (outcome instanceof SallyportError || then === undefined || now === undefined) return false
  return then.x509Authorities.every(({ certificate }) =>
    now.x509Authorities.some((authority) => authority.certificate.der.equals(certificate.der)),
  )
}

const expired = (spiffeId: SpiffeId): SallyportError =>
  new SallyportError('CERTIFICATE_EXPIRED', `Cannot accept ${spiffeId}: its X509-SVID has expired`)
