import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import { printLongSlices } from '../../src/policy-file/check-slices.ts'
import { longSlices } from '../../src/policy/long-slices.ts'
import { SLICE_MAX_BYTES } from '../../src/policy/read-slice.ts'
import type { Move } from '../policy/members.ts'
import type { PolicyBook } from '../policy/policy-book.ts'
import type { Item } from './items.ts'
import type { RpcDeps } from './rpc-deps.ts'

type RoomDeps = Pick<RpcDeps, 'book'>

/**
 * Holds that no change of entries makes the slice of another identity, or of one that is registered already, too long that was not:
 * it could not be sent, and one that cannot be sent is taken back, because what it says may hold no longer. So the change is refused
 * and everything stays as it is. A new identity is given SVIDs in any case: see {@link warningsOfRoom}.
 *
 * Mostly nothing is measured: see `Members.mostSliceBytes`.
 *
 * @throws {@link SallyportError} `ENTRY_WOULD_LOSE`
 * @see zones.md §3.12
 */
export function checkRoom(entries: readonly RegistrationEntry[], deps: RoomDeps): void {
  const refusal = refusalOf(entries, deps)
  if (refusal !== undefined) throw refusal.error
}

/** The same for a batch of which some may be made without the others: those that are in the slices of others are refused. */
export function withRoom<T>(
  items: readonly Item<T>[],
  entryOf: (value: T) => RegistrationEntry,
  deps: RoomDeps,
): readonly Item<T>[] {
  const entries = items.flatMap((item) => ('value' in item ? [entryOf(item.value)] : []))
  const refusal = refusalOf(entries, deps)
  if (refusal === undefined) return items
  const refused = new Set(refusal.moves.map(({ spiffeId }) => spiffeId))
  return items.map((item) =>
    'value' in item && refused.has(entryOf(item.value).spiffeId.toString()) ? { error: refusal.error } : item,
  )
}

function refusalOf(
  entries: readonly RegistrationEntry[],
  { book }: RoomDeps,
): { readonly error: SallyportError; readonly moves: readonly Move[] } | undefined {
  const members = book.current?.members
  if (members === undefined || entries.length === 0) return undefined
  const moves = members.movesOf(entries).filter((move) => move.concernsOthers)
  if (moves.length === 0) return undefined
  const more = moves.reduce((sum, { mostBytes }) => sum + mostBytes, 0)
  const isRoomy = members.mostSliceBytes(SLICE_MAX_BYTES - more) + more <= SLICE_MAX_BYTES
  if (isRoomy && !moves.some(({ movesServices }) => movesServices)) return undefined
  const after = members.asIf(entries, longSlices)
  if (after.length === 0) return undefined
  const already = new Set(longSlices(members.sliceIndex).map(({ spiffeId }) => spiffeId))
  const lost = after.filter(({ spiffeId }) => !already.has(spiffeId) && members.row(spiffeId) !== undefined)
  if (lost.length === 0) return undefined
  const error = new SallyportError(
    'ENTRY_WOULD_LOSE',
    `Cannot use this registration entry: ${printLongSlices(lost)}; they would be told nothing any more, and reach nothing`,
  )
  return { error, moves }
}

/** What whoever registers identities should know of their slices, by SPIFFE ID. */
export function warningsOfRoom(
  spiffeIds: readonly string[],
  { book, slices }: Pick<RpcDeps, 'book' | 'slices'>,
): ReadonlyMap<string, string> {
  const members = book.current?.members
  if (members === undefined || members.mostSliceBytes(SLICE_MAX_BYTES) <= SLICE_MAX_BYTES) return new Map()
  const without = spiffeIds.filter((spiffeId) => slices.digestOf(spiffeId) === undefined)
  return new Map(
    without.map((spiffeId) => [
      spiffeId,
      `${spiffeId} gets SVIDs but no policy, and reaches nothing where zones are enforced: its slice is longer than agents take. Let fewer services be within its reach.`,
    ]),
  )
}

/** What somebody should do about slices that cannot be sent, in whole sentences. */
export function warningsOfSlices({ book }: { readonly book: Pick<PolicyBook, 'current'> }): readonly string[] {
  const members = book.current?.members
  if (members === undefined || members.mostSliceBytes(SLICE_MAX_BYTES) <= SLICE_MAX_BYTES) return []
  const long = longSlices(members.sliceIndex)
  if (long.length === 0) return []
  return [
    `Policy: ${printLongSlices(long)}. They reach nothing where zones are enforced; let fewer services be within their reach, or take labels away.`,
  ]
}
