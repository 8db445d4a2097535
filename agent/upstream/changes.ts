import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'

/** Whole entries and bundles that are new or changed, and the names of those that are gone. */
export interface Changes {
  readonly entries: readonly RegistrationEntry[]
  readonly removedEntryIds: readonly string[]
  readonly bundles: readonly Bundle[]
  readonly removedTrustDomains: readonly string[]
}
