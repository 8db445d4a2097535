import type { SpiffeId } from '../../src/id/spiffe-id.ts'

/** Knows which agents verify with a bundle already; the push stream implements it. */
export interface BundleAcknowledgements {
  /** The live agents that have not yet acknowledged the trust domain's own bundle as of this store revision. */
  missing(revision: number): readonly SpiffeId[]
}
