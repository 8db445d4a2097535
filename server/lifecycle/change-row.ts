import type { FastLaneEvent } from '../../src/policy/fast-lane.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { LifecycleChange } from '../policy/fast-lane.ts'
import type { LifecycleObject } from '../store/policy-rows.ts'
import type { LifecycleDeps } from './lifecycle-deps.ts'

/** A row as it shall be, what agents hear of it (nothing for what only waits), and what the journal keeps. */
interface RowChange<T extends LifecycleObject> {
  readonly row: T
  readonly events: readonly FastLaneEvent[]
  readonly audit: readonly AuditEvent[]
}

/** A row as it is, with what its end is told by. */
interface Ending<T extends LifecycleObject> extends RowChange<T> {
  /** Why it ends before its time. */
  readonly why?: string
}

/** The same row, changed once more. */
export const changed = <T extends LifecycleObject>(row: T, fields: Partial<T>): T => ({
  ...row,
  ...fields,
  revisionNumber: row.revisionNumber + 1,
})

/**
 * Decides and commits a change of one row.
 *
 * @param decide runs again when another server of the same store was faster; what it throws refuses the change
 * @returns the row as it was committed
 */
export async function changeRow<T extends LifecycleObject>(
  { fastLane }: Pick<LifecycleDeps, 'fastLane'>,
  decide: () => RowChange<T>,
): Promise<T> {
  let committed: T | undefined
  await fastLane.change((): LifecycleChange => {
    const { row, events, audit } = decide()
    committed = row
    return { mutations: [{ kind: 'lifecycle.put', row }], events, audit }
  })
  if (committed === undefined) throw new TypeError('a change of the lifecycle without a row')
  return committed
}

/**
 * Writes down which rows are at their end, once for each; commits nothing when there are none.
 *
 * @param due decides it anew for each try
 */
export async function endRows(
  at: Date,
  { fastLane }: Pick<LifecycleDeps, 'fastLane'>,
  due: () => readonly Ending<LifecycleObject>[],
): Promise<void> {
  if (due().length === 0) return
  await fastLane.change((): LifecycleChange => {
    const ending = due()
    return {
      mutations: ending.map(({ row, why }) => ({ kind: 'lifecycle.put', row: ended(row, at, why) })),
      events: ending.flatMap(({ events }) => events),
      audit: ending.flatMap(({ audit }) => audit),
    }
  })
}

const ended = (row: LifecycleObject, at: Date, why: string | undefined): LifecycleObject =>
  changed(row, { endedMs: at.getTime(), endedBy: 'server', ...(why === undefined ? {} : { endedReason: why }) })
