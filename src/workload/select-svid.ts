import { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'

/** Which of several identities is meant; nothing: the default one, which is the first that the agent lists. */
export interface SvidChoice {
  readonly spiffeId?: SpiffeId | string | undefined
  /** What the registration entry calls it; of two with one hint the first is meant. */
  readonly hint?: string | undefined
}

/** Picks one of several SVIDs: by id, by hint, or with a function that returns one of the list (undefined: none will do). */
export type SvidPicker<T> = SvidChoice | ((svids: readonly T[]) => T | undefined)

/**
 * Picks an SVID.
 *
 * @throws {@link SallyportError} `IDENTITY_NOT_HELD`; never falls back to the default
 */
export function selectSvid<T extends { readonly spiffeId: SpiffeId; readonly hint: string }>(
  svids: readonly T[],
  picker: SvidPicker<T> = {},
): T {
  const found = typeof picker === 'function' ? picker(svids) : svids.find((svid) => isMeant(svid, picker))
  if (found !== undefined) return found
  throw new SallyportError(
    'IDENTITY_NOT_HELD',
    `Cannot find an SVID${printPicker(picker)} among the ${svids.length} held`,
  )
}

function isMeant(
  svid: { readonly spiffeId: SpiffeId; readonly hint: string },
  { spiffeId, hint }: SvidChoice,
): boolean {
  const isIt = spiffeId === undefined || svid.spiffeId.toString() === spiffeId.toString()
  return isIt && (hint === undefined || svid.hint === hint)
}

function printPicker<T>(picker: SvidPicker<T>): string {
  if (typeof picker === 'function') return ' that the picker accepts'
  const { spiffeId, hint } = picker
  return [
    spiffeId === undefined ? '' : ` ${spiffeId.toString()}`,
    hint === undefined ? '' : ` with hint ${JSON.stringify(hint)}`,
  ].join('')
}

/** Checks what a caller wrote before it is waited for: a mistyped id would never be found. */
export function checkPicker<T>(picker: SvidPicker<T> | undefined): void {
  if (typeof picker === 'object' && typeof picker.spiffeId === 'string') SpiffeId.parse(picker.spiffeId)
}
