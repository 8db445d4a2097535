import { sleepUnlessAborted } from '../../src/clock.ts'
import type { Log } from '../../src/log/log.ts'
import type { DirectoryUpdate } from '../entries/directory.ts'
import type { LifecycleObject } from '../store/policy-rows.ts'
import type { Change } from '../store/store.ts'
import { recheckSessions } from './break-glass.ts'
import { recheckGrants } from './grants.ts'
import type { LifecycleDeps } from './lifecycle-deps.ts'
import { reconcileOffboarding } from './offboarding.ts'
import { proposeQuarantine } from './quarantine.ts'
import { forgetEndedSerials } from './serials.ts'
import { endLapsed } from './waiting.ts'

export interface UpkeepDeps extends LifecycleDeps {
  readonly log: Log
  /** Rows that ended longer ago are removed; the journal keeps what was done. */
  readonly retentionMs: number
}

const LOOK_MS = 60_000

/**
 * What the lifecycle does by itself. Grants and sessions end, and requests lapse, by the clock of whoever looks: to write that down
 * is not urgent.
 */
export async function lifecycleUpkeep(deps: UpkeepDeps, signal: AbortSignal): Promise<void> {
  // At first, because entries may have come and gone just before a server was killed.
  const arrears: Arrears = { offboarding: true }
  await Promise.all([onChanges(deps, arrears, signal), onTime(deps, arrears, signal)])
}

/** What is not done with changes as they come, and has to be made up for. */
interface Arrears {
  offboarding: boolean
}

async function onChanges(deps: UpkeepDeps, arrears: Arrears, signal: AbortSignal): Promise<void> {
  const { book, directory, clock, log } = deps
  try {
    for await (const updates of directory.watch(signal)) {
      await book.reached(updates.at(-1)?.revision ?? 0)
      const changes = updates.flatMap((update: DirectoryUpdate) => update.changes)
      try {
        await propose(changes, deps)
        const isAnything = updates.some(({ concerned }) => concerned === 'all')
        const has = (...kinds: readonly Change['kind'][]): boolean =>
          isAnything || changes.some(({ kind }) => kinds.includes(kind))
        if (has('entry')) await reconcileOffboarding(clock.now(), deps)
        // A grant may be approved while who holds it becomes another one.
        if (has('entry', 'policy', 'lifecycle')) await recheck(deps)
      } catch (error) {
        arrears.offboarding = true
        log.error({ err: error }, 'Cannot bring the lifecycle up to date')
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** A node that was thrown out or banned may have been in wrong hands: somebody decides about what it held (§3.11). */
async function propose(changes: readonly Change[], deps: UpkeepDeps): Promise<void> {
  // Without a policy nobody would look at it.
  if (deps.book.current === undefined) return
  const now = deps.clock.now()
  for (const change of changes) {
    if (change.kind !== 'agent' || change.before === undefined || change.before.banned) continue
    const { before, after, spiffeId } = change
    if (after?.banned === true) await proposeQuarantine(spiffeId, 'its agent was banned', now, deps)
    // One whose SVID has ended is removed by age.
    if (after === undefined && before.expiresAt > now)
      await proposeQuarantine(spiffeId, 'its agent was evicted', now, deps)
  }
}

async function recheck(deps: UpkeepDeps): Promise<void> {
  const { book, clock } = deps
  if (book.current === undefined) return
  await recheckGrants(clock.now(), deps)
  await recheckSessions(clock.now(), deps)
}

/** Every change has been seen by now, or stands in the store: what is late is looked at as a whole. */
async function makeUpFor(arrears: Arrears, deps: UpkeepDeps): Promise<void> {
  if (!arrears.offboarding) return
  arrears.offboarding = false
  try {
    await reconcileOffboarding(deps.clock.now(), deps)
  } catch (error) {
    arrears.offboarding = true
    throw error
  }
}

async function onTime(deps: UpkeepDeps, arrears: Arrears, signal: AbortSignal): Promise<void> {
  const { clock, log } = deps
  const steps = [
    () => endLapsed(clock.now(), deps),
    () => makeUpFor(arrears, deps),
    // What happened while no server ran.
    () => recheck(deps),
    () => forgetEndedSerials(clock.now(), deps),
    () => removeOld(deps),
  ]
  while (!signal.aborted) {
    for (const step of steps) {
      // One that fails holds back none of the others.
      await step().catch((error: unknown) => log.error({ err: error }, 'Cannot bring the lifecycle up to date'))
    }
    await sleepUnlessAborted(clock, LOOK_MS, signal)
  }
}

async function removeOld({ book, store, clock, retentionMs }: UpkeepDeps): Promise<void> {
  const before = clock.now().getTime() - retentionMs
  const old = [...book.lifecycleRows()].filter((row) => (endOf(row) ?? Infinity) < before)
  if (old.length === 0) return
  await store.commit({ mutations: old.map(({ id }) => ({ kind: 'lifecycle.delete', id })), audit: [] })
}

const endOf = (row: LifecycleObject): number | undefined => row.endedMs ?? ('untilMs' in row ? row.untilMs : undefined)
