import { SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'

/** Which of several identities is meant; nothing: the default one. */
export interface SvidChoice {
  readonly spiffeId?: SpiffeId | undefined
  readonly hint?: string | undefined
}

/**
 * Picks an SVID: by id, by hint (the first one that carries it), or the first of the list.
 *
 * @throws {@link SallyportError} `IDENTITY_NOT_HELD`; never falls back to the default
 */
export function selectSvid<T extends { readonly spiffeId: SpiffeId; readonly hint: string }>(
  svids: readonly T[],
  { spiffeId, hint }: SvidChoice = {},
): T {
  const found = svids.find(
    (svid) => (spiffeId === undefined || svid.spiffeId.equals(spiffeId)) && (hint === undefined || svid.hint === hint),
  )
  if (found !== undefined) return found
  const wanted = [
    spiffeId === undefined ? '' : ` ${spiffeId}`,
    hint === undefined ? '' : ` with hint ${JSON.stringify(hint)}`,
  ]
  throw new SallyportError('IDENTITY_NOT_HELD', `Cannot find an SVID${wanted.join('')} among the ${svids.length} held`)
}
