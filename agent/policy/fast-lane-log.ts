import { SallyportError } from '../../src/errors.ts'
import { applyFastLane } from '../../src/policy/fast-lane.ts'
import { NO_LIFECYCLE, type Lifecycle } from '../../src/policy/lifecycle.ts'
import * as contents from '../../src/policy/read-fast-lane.ts'
import { readFastLaneEntry, readLifecycle, refusedContent, sha256, type Signed } from './signed-content.ts'

/**
 * The fast lane as far as the agent has it: a snapshot of what was live at some sequence, and every entry after it without a gap.
 * Immutable.
 *
 * @see zones.md §3.12; SE-40
 */
export interface FastLaneLog {
  readonly epoch: number
  /** Of the newest entry, or of the snapshot when none follows; 0: there is nothing yet. */
  readonly sequence: number
  /** SHA-256 (hex) of the content of entry `sequence`: what the next one must name. */
  readonly head: string
  readonly snapshot: { readonly sequence: number; readonly signed: Signed } | undefined
  readonly entries: readonly { readonly sequence: number; readonly signed: Signed }[]
  /** What all of it comes to, as far as an agent goes by it: quarantines, offboarding, revoked serial numbers. */
  readonly standing: StandingLifecycle
}

/** Grants and sessions are the affair of those who decide about connections; they end by the clock, and are not kept here. */
export type StandingLifecycle = Pick<Lifecycle, 'quarantines' | 'offboarded' | 'revokedSerials'>

export const NO_FAST_LANE: FastLaneLog = {
  ...{ epoch: 0, sequence: 0, head: '', snapshot: undefined, entries: [] },
  standing: NO_LIFECYCLE,
}

/**
 * The log with one entry more; the same log for one that it has already.
 *
 * @throws {@link SallyportError} `SYNC_MISMATCH` for a gap, `POLICY_CONTENT_REFUSED` for one that goes back or does not follow
 */
export function withEntry(log: FastLaneLog, signed: Signed): FastLaneLog {
  const { epoch, sequence, previous } = readFastLaneEntry(signed.content)
  const isFirst = log.sequence === 0
  if (epoch < log.epoch) throw refusedContent('entry of the fast lane', `epoch ${epoch} is over`)
  if (epoch > log.epoch && !isFirst) throw gap(`epoch ${epoch} begins`)
  if (sequence <= log.sequence) {
    if (isHeld(log, sequence, signed)) return log
    throw refusedContent('entry of the fast lane', `sequence ${sequence} was there before, with other words`)
  }
  if (sequence !== log.sequence + 1) throw gap(`entry ${sequence} came after ${log.sequence}`)
  if (previous !== log.head) throw refusedContent('entry of the fast lane', `it does not follow entry ${log.sequence}`)
  return {
    ...log,
    epoch,
    sequence,
    head: sha256(signed.content).toString('hex'),
    entries: [...log.entries, { sequence, signed }],
    standing: standingAfter(log.standing, signed),
  }
}

/**
 * The log that a snapshot begins; the same log for one that it is past already.
 *
 * @throws {@link SallyportError} `POLICY_CONTENT_REFUSED` for one of an epoch that is over
 */
export function fromSnapshot(log: FastLaneLog, signed: Signed): FastLaneLog {
  const { epoch, sequence, previous } = readLifecycle(signed.content)
  if (epoch < log.epoch) throw refusedContent('snapshot of the fast lane', `epoch ${epoch} is over`)
  if (epoch === log.epoch && sequence < log.sequence) return log
  const standing = standingOf(signed) ?? log.standing
  return { epoch, sequence, head: previous, snapshot: { sequence, signed }, entries: [], standing }
}

/** What a reader lacks that has everything up to `sequence` of `epoch`: entries, or the snapshot and all that follows it. */
export function lackedBy(
  log: FastLaneLog,
  held: { readonly epoch: number; readonly sequence: number },
): { readonly snapshot: Signed | undefined; readonly entries: readonly Signed[] } {
  const from = log.snapshot?.sequence ?? 0
  const canFollow = held.epoch === log.epoch && held.sequence >= from && held.sequence <= log.sequence
  const after = canFollow ? held.sequence : from
  return {
    snapshot: canFollow ? undefined : log.snapshot?.signed,
    entries: log.entries.filter(({ sequence }) => sequence > after).map(({ signed }) => signed),
  }
}

/** A newer server may say what this agent cannot read: it is handed on, and changes nothing here. */
function standingAfter(standing: StandingLifecycle, { content }: Signed): StandingLifecycle {
  const entry = readable(() => contents.readFastLaneEntry(content))
  return entry === undefined ? standing : withoutTimed(applyFastLane({ ...NO_LIFECYCLE, ...standing }, entry))
}

function standingOf({ content }: Signed): StandingLifecycle | undefined {
  const document = readable(() => contents.readLifecycle(content))
  return document && withoutTimed(document.lifecycle)
}

const withoutTimed = ({ quarantines, offboarded, revokedSerials }: Lifecycle): StandingLifecycle => ({
  ...{ quarantines, offboarded, revokedSerials },
})

function readable<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** Is this the very entry that the log has? Those that the snapshot stands for cannot be compared any more. */
function isHeld({ entries, snapshot }: FastLaneLog, sequence: number, { content }: Signed): boolean {
  if (snapshot !== undefined && sequence <= snapshot.sequence) return true
  return entries.some((entry) => entry.sequence === sequence && entry.signed.content.equals(content))
}

const gap = (why: string): SallyportError =>
  new SallyportError('SYNC_MISMATCH', `Cannot follow the fast lane: ${why}, so something is missing`)
