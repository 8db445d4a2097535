import type { Bundle } from '../bundle/bundle.ts'
import type { BundleSet } from '../bundle/bundle-set.ts'
import type { VerifiedPeer } from './verified-peer.ts'

/** The most peers whose verification is remembered; only those that were accepted are, so nobody else can fill it. */
const MAX_VERDICTS = 10_000

interface Verdict {
  readonly peer: VerifiedPeer
  readonly bundle: Bundle
}

/** How many of the oldest verdicts are looked at when one is added: more than one, so that what has ended goes faster than new ones come. */
const SWEPT = 4

/**
 * Remembers who was verified: by the bytes of the leaf, for as long as the bundle of its trust domain is the same and no
 * certificate of the proof has ended. A peer that connects again costs no signature check. Refusals are not remembered, and what
 * has ended is forgotten as others come, so that a service holds about as many verdicts as it has peers.
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

  /** How many are remembered. */
  get size(): number {
    return this.#byLeaf.size
  }

  keep(peer: VerifiedPeer, bundle: Bundle, now: Date): void {
    this.#sweep(now)
    this.#byLeaf.set(peer.svid.chain[0].der.toString('latin1'), { peer, bundle })
  }

  /** Those that still hold go to the end of the line. */
  #sweep(now: Date): void {
    for (const [key, verdict] of this.#byLeaf.entries().take(SWEPT)) {
      this.#byLeaf.delete(key)
      if (verdict.peer.notAfter >= now) this.#byLeaf.set(key, verdict)
    }
    if (this.#byLeaf.size < MAX_VERDICTS) return
    const [oldest] = this.#byLeaf.keys()
    if (oldest !== undefined) this.#byLeaf.delete(oldest)
  }
}
