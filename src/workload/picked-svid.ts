import { SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import { selectSvid, type SvidPicker } from './select-svid.ts'

/** Why there is nobody to be at the moment. */
export interface NobodyPicked {
  readonly problem: Error
}

/**
 * What a picker makes of a message, so that it is asked once and everybody gets the same object.
 *
 * @param held what is held of the SVID that is picked
 */
export function pickedOf<T extends { readonly spiffeId: SpiffeId; readonly hint: string }, H>(
  svids: readonly T[],
  picker: SvidPicker<T> | undefined,
  held: (svid: T) => H,
): H | NobodyPicked {
  if (svids.length === 0) {
    return { problem: new SallyportError('IDENTITY_NOT_HELD', 'Cannot be anybody: the agent has withdrawn every SVID') }
  }
  try {
    return held(selectSvid(svids, picker))
  } catch (error) {
    // Of a picker that throws, too: the stream goes on, and the next message may please it.
    return { problem: error as Error }
  }
}

/** @param error why no newer one has come, where that is known */
export function svidExpired(
  spiffeId: SpiffeId,
  { kind, expiresAt, error }: { readonly kind: string; readonly expiresAt: Date; readonly error: Error | undefined },
): SallyportError {
  const why = error === undefined ? 'no newer one has come' : error.message
  return new SallyportError(
    'SVID_EXPIRED',
    `Cannot be ${spiffeId} any more: its ${kind} expired at ${expiresAt.toISOString()}, ${why}`,
    { cause: error },
  )
}
