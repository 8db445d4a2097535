import type { Bundle } from '../bundle/bundle.ts'
import type { BundleSet } from '../bundle/bundle-set.ts'
import type { VerifiedPeer } from './verified-peer.ts'

/** The most peers whose verification is remembered; only those that were accepted are, so nobody else can fill it. */
const MAX_VERDICTS = 10_000

interface Verdict {
  readonly peer: VerifiedPeer
  readonly bundle: Bundle
}

/**
 * Remembers who was verified: by the bytes of the leaf, for as long as the bundle of its trust domain is the same and no
 * certificate of the proof has ended. A peer that connects again costs no signature check. Refusals are not remembered.
 */
export class Verdicts {
  readonly #byLeaf = new Map<string, Verdict>()

  recall(leafDer: Buffer, bundles: BundleSet, now: Date): VerifiedPeer | undefined {
    const key = leafDer.toString('latin1')
    const verdict = this.#byLeaf.get(key)
    if (verdict === undefined) return undefined
    const { peer, bundle } = verdict
    if (bundles.get(peer.id.trustDomain) === bundle && peer.notBefore <= now && now <= peer.notAfter) return peer
    this.#byLeaf.delete(key)
    return undefined
  }

  keep(peer: VerifiedPeer, bundle: Bundle): void {
    if (this.#byLeaf.size >= MAX_VERDICTS) {
      const [oldest] = this.#byLeaf.keys()
      if (oldest !== undefined) this.#byLeaf.delete(oldest)
    }
    this.#byLeaf.set(peer.svid.chain[0].der.toString('latin1'), { peer, bundle })
  }
}
