import type { Log } from '../../src/log/log.ts'
import type { VerifiedHeartbeat } from '../upstream/heartbeats.ts'
import type { SavedCheckpoint } from './saved-state.ts'

/** How many checkpoints are kept for one journal: enough to tell when its tail was cut off. */
export const CHECKPOINTS_PER_KEY = 32
/** How many journals, one for each server and each of its lives. */
const JOURNALS_MAX = 8

/**
 * Keeps the newest heads of the audit journals that servers have signed (SE-22). A head that contradicts one seen earlier is kept
 * too, beside it, and reported: the journal was cut or rewritten.
 */
export function keepCheckpoint(
  kept: readonly SavedCheckpoint[],
  { keyId, epoch, checkpoint }: VerifiedHeartbeat,
  log: Log,
): readonly SavedCheckpoint[] {
  if (checkpoint === undefined) return kept
  const seen = { keyId, epoch, sequence: checkpoint.sequence, hash: checkpoint.hash }
  const newest = kept.findLast((one) => one.keyId === keyId)
  // Most heartbeats tell nothing new.
  if (newest !== undefined && newest.sequence === seen.sequence && newest.hash.equals(seen.hash)) return kept
  const own = kept.filter((one) => one.keyId === keyId)
  if (newest !== undefined && newest.sequence >= seen.sequence) {
    const known = own.some((one) => one.sequence === seen.sequence && one.hash.equals(seen.hash))
    if (known) return kept
    log.error(
      { keyId, sequence: seen.sequence, newestSequence: newest.sequence },
      'The audit journal of the server contradicts what it signed earlier',
    )
  }
  const others = kept.filter((one) => one.keyId !== keyId)
  const journals = [...new Set(others.map((one) => one.keyId))].slice(-(JOURNALS_MAX - 1))
  return [...others.filter((one) => journals.includes(one.keyId)), ...[...own, seen].slice(-CHECKPOINTS_PER_KEY)]
}
