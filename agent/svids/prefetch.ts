import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { isForWorkloads } from '../entries/entitlements.ts'
import { oldestFirst } from '../entries/selector-index.ts'

/** Whose SVIDs are made before somebody asks, oldest registration first, as far as there is room. */
export function toPrefetch(
  entries: Iterable<RegistrationEntry>,
  room: number,
  isThere: (entryId: string) => boolean,
): RegistrationEntry[] {
  if (room <= 0) return []
  return [...entries]
    .filter((entry) => !entry.x509PrefetchDisabled && isForWorkloads(entry) && !isThere(entry.id))
    .toSorted(oldestFirst)
    .slice(0, room)
}
