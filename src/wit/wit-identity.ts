import type { BundleSet } from '../bundle/bundle-set.ts'
import type { WitSvidWithKey } from './wit-svid.ts'

/** The WIT-SVID of a moment, with the bundles that others are verified with. */
export interface WitIdentity {
  readonly svid: WitSvidWithKey
  readonly bundles: BundleSet
}

/** Who holds WIT-SVIDs as of now, such as `WitSource`. */
export interface WitIdentitySource {
  /** Throws when none is held at the moment. */
  current(): WitIdentity
}

/** Who holds the bundles that WIT-SVIDs are verified with, such as `WitSource`. */
export interface WitBundleSource {
  readonly bundles: BundleSet
}

/** For callers without types: a promise is not a source yet. */
export function checkIdentitySource(source: WitIdentitySource): void {
  if (typeof (source as Partial<WitIdentitySource> | undefined)?.current !== 'function')
    throw new TypeError('This needs a source of WIT-SVIDs: is the `await` of `await WitSource.open()` missing?')
}
