import type { Changes } from '../../agent/upstream/changes.ts'

/** What the server says of entries and bundles: nothing but these. */
export const changes = (some: Partial<Changes>): Changes => ({
  entries: [],
  removedEntryIds: [],
  bundles: [],
  removedTrustDomains: [],
  ...some,
})
