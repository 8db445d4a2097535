import { longSlices, type LongSlice } from '../policy/long-slices.ts'
import { SLICE_MAX_BYTES } from '../policy/read-slice.ts'
import type { SliceIndex } from '../policy/slice-index.ts'
import type { Found } from './found.ts'

/** Identities that would get no slice. One finding: what makes one too long mostly makes many. @see zones.md §3.12 */
export function checkSlices(index: SliceIndex): Found[] {
  const long = longSlices(index)
  return long.length === 0 ? [] : [{ code: 'SLICE_TOO_LONG', path: [], message: printLongSlices(long) }]
}

/** @param long at least one */
export function printLongSlices([longest, ...others]: readonly LongSlice[]): string {
  const { spiffeId, sizeBytes } = longest as LongSlice
  const more = ['', ' and of one other'][others.length] ?? ` and of ${others.length} others`
  return `the slice of ${spiffeId}${more} would take ${inMb(sizeBytes)}, and agents take ${inMb(SLICE_MAX_BYTES)}`
}

const inMb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
