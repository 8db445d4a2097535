import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BundleSet } from '../bundle/bundle-set.ts'
import type { Clock } from '../clock.ts'
import type { PeerFacts } from '../policy/request.ts'
import { verifyX509SvidNow } from '../svid/verify-x509-svid.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import type { VerifiedPeer } from '../tls/verified-peer.ts'
import { refusedPeer } from './refused-peer.ts'

/** So many are verified before others get their turn. */
const AT_ONCE = 50

/**
 * Looks whether what handshakes have proven still is one: after the bundle of a trust domain has changed, such as when an authority
 * was taken out of it or the trust domain is no longer federated with (§3.11).
 */
export class ProofCheck {
  readonly #source: TlsSource
  readonly #clock: Clock
  #bundles: BundleSet | undefined

  constructor(source: TlsSource, clock: Clock) {
    this.#source = source
    this.#clock = clock
    this.#bundles = this.#now()
  }

  /** Tells of each peer whose proof no longer holds. Costs nothing while the bundles are the same. */
  async run(
    peers: () => Iterable<VerifiedPeer>,
    broken: (peer: VerifiedPeer, facts: PeerFacts) => void,
  ): Promise<void> {
    const [before, bundles] = [this.#bundles, this.#now()]
    if (bundles === undefined || bundles === before) return
    this.#bundles = bundles
    const concerned = [...new Set(peers())].filter(
      ({ id }) => before?.get(id.trustDomain) !== bundles.get(id.trustDomain),
    )
    for (const [index, peer] of concerned.entries()) {
      if (index % AT_ONCE === AT_ONCE - 1) await nextTurn()
      const facts = this.#problemOf(peer, bundles)
      if (facts !== undefined) broken(peer, facts)
    }
  }

  #problemOf({ id, svid }: VerifiedPeer, bundles: BundleSet): PeerFacts | undefined {
    const now = this.#clock.now()
    try {
      verifyX509SvidNow(svid.chain, bundles, now)
      return undefined
    } catch (error) {
      const { refused } = {
        refused: 'CHAIN_INVALID' as const,
        ...refusedPeer(error as Error, undefined, this.#source, now),
      }
      return { refused, claimedId: id.toString() }
    }
  }

  /** Undefined while this side is nobody. */
  #now(): BundleSet | undefined {
    try {
      return this.#source.current().bundles
    } catch {
      return undefined
    }
  }
}
