import type { Bundle } from '../../src/bundle/bundle.ts'
import type { BundleSet } from '../../src/bundle/bundle-set.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Changes } from '../upstream/changes.ts'

/** Where the node puts what the server says. Kept by the room beside this one. */
export interface Holdings {
  readonly entries: ReadonlyMap<string, RegistrationEntry>
  readonly bundles: BundleSet
  readonly ownBundle: Bundle | undefined
  /** Of everything held, as the server computes it. */
  readonly digest: Buffer
  replace(entries: readonly RegistrationEntry[], bundles: readonly Bundle[]): { readonly sequence: number }
  apply(changes: Changes): { readonly sequence: number }
  /** The digest that a change would lead to. */
  digestAfter(changes: Changes): Buffer
  /**
   * Resolves when every open workload stream that a change up to `sequence` concerned has been written to, or has ended, or when
   * `signal` aborts.
   */
  delivered(sequence: number, signal?: AbortSignal): Promise<void>
}
