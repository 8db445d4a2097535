/** How much a bundle document may hold before it is refused. */
export interface BundleLimits {
  readonly sizeBytes: number
  /** For each kind of key. */
  readonly authorities: number
}

/** For bundles of other trust domains: nobody may grow the messages that our workloads receive. */
export const FOREIGN_BUNDLE_LIMITS: BundleLimits = { sizeBytes: 64 * 1024, authorities: 32 }

/** For bundles that this trust domain made itself. */
export const OWN_BUNDLE_LIMITS: BundleLimits = { sizeBytes: 4 * 1024 * 1024, authorities: 1000 }
