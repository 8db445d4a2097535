import { type Clock, sleepUnlessAborted } from '../../src/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { agentPurged } from '../audit/agent-events.ts'
import { entryDeleted } from '../audit/entry-events.ts'
import type { DecisionRoom } from '../store/decision-rows.ts'
import type { AttestedAgent, Outcome, Store, Transaction } from '../store/store.ts'
import type { Directory } from './directory.ts'

/** Tells whether the wall clock can be believed when something is to be destroyed for good. */
export interface Steadiness {
  /** Looks at the clocks; returns by how many milliseconds the wall clock jumped, or 0. */
  observe(): number
  readonly isSteady: boolean
}

export interface PruneDeps {
  readonly directory: Directory
  readonly store: Store
  readonly clock: Clock
  readonly steadiness: Steadiness
  readonly log: Log
  /** Agents whose SVID ended longer ago than this are removed; undefined: never. */
  readonly purgeAgentsAfterMs: number | undefined
  readonly auditRetentionMs: number
  /** Undefined: decisions are kept for good. */
  readonly decisions?: DecisionRetention | undefined
}

/** How long and how many decisions are kept. */
export interface DecisionRetention extends DecisionRoom {
  readonly retentionMs: number
}

const LOOK_MIN_MS = 100
const LOOK_MAX_MS = 60_000
/** How long the change log is kept for agents that come back. */
const LOG_RETENTION_MS = 24 * 3_600_000
const TOKEN_RETENTION_MS = 30 * 24 * 3_600_000
const JOURNALS_EVERY_MS = 3_600_000
/** The most that one look removes: the rest has time until the next. */
const BATCH_MAX = 500

/**
 * Removes what has ended: entries at once, agents and journals by age. Nobody is entitled to an expired entry from its end on, whether it
 * is removed yet or not; so nothing hangs on this loop, and it rests after the wall clock has jumped (SE-20).
 */
export async function prune(deps: PruneDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, steadiness } = deps
  let journalsAtMs = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    try {
      const jumpMs = steadiness.observe()
      if (jumpMs !== 0) log.warn({ jumpMs }, 'The wall clock jumped, nothing is purged until it has settled')
      const removed = steadiness.isSteady ? (await pruneEntries(deps)) + (await pruneAgents(deps)) : 0
      if (steadiness.isSteady && clock.monotonicMs() - journalsAtMs >= JOURNALS_EVERY_MS) {
        journalsAtMs = clock.monotonicMs()
        await pruneJournals(deps)
      }
      await clock.sleep(removed > 0 ? LOOK_MIN_MS : untilNextLook(deps), signal)
    } catch (error) {
      if (signal.aborted) return
      log.error({ err: error }, 'Cannot remove what has expired')
      await sleepUnlessAborted(clock, LOOK_MAX_MS, signal)
    }
  }
}

/** @returns how many were removed */
export async function pruneEntries({ directory, store, clock, log }: PruneDeps): Promise<number> {
  const at = clock.now()
  const expired = directory.expiredEntries(at).slice(0, BATCH_MAX)
  const outcomes = await commitAll(
    store,
    expired.map((entry): Transaction => ({
      mutations: [{ kind: 'entry.delete', id: entry.id }],
      audit: [entryDeleted({ at }, entry)],
    })),
  )
  const removed = await settled(directory, outcomes)
  if (removed > 0) log.info({ removed }, 'Removed expired entries')
  return removed
}

/** @returns how many were removed */
export async function pruneAgents(deps: PruneDeps): Promise<number> {
  const { directory, store, clock, log, purgeAgentsAfterMs } = deps
  if (purgeAgentsAfterMs === undefined) return 0
  const at = clock.now()
  const stale = [...directory.agents()].filter((agent) => isStale(agent, at, purgeAgentsAfterMs)).slice(0, BATCH_MAX)
  const outcomes = await commitAll(
    store,
    stale.map(({ spiffeId, expiresAt }): Transaction => {
      const aliases = directory.aliasEntriesOf(spiffeId)
      return {
        mutations: [
          { kind: 'agent.delete', spiffeId },
          ...aliases.map(({ id }) => ({ kind: 'entry.delete', id }) as const),
        ],
        audit: [agentPurged({ at }, spiffeId, expiresAt)],
      }
    }),
  )
  const removed = await settled(directory, outcomes)
  if (removed > 0) log.info({ removed }, 'Purged agents that have not returned')
  return removed
}

/** A banned agent is kept: forgetting it would let it back in. */
function isStale(agent: AttestedAgent, now: Date, afterMs: number): boolean {
  const end = Math.max(agent.expiresAt.getTime(), agent.pendingExpiresAt?.getTime() ?? 0)
  return !agent.banned && end + afterMs <= now.getTime()
}

async function pruneJournals({ store, clock, auditRetentionMs, decisions }: PruneDeps): Promise<void> {
  const now = clock.now().getTime()
  // A token that was used stays that long after its end, so that a second use is told from a wrong token.
  const expiredBefore = new Date(now - TOKEN_RETENTION_MS)
  await store.commit({ mutations: [{ kind: 'token.prune', expiredBefore }], audit: [] })
  await store.prune({
    logBefore: new Date(now - LOG_RETENTION_MS),
    auditBefore: new Date(now - auditRetentionMs),
    decisions: decisions && { ...decisions, before: new Date(now - decisions.retentionMs) },
  })
}

function untilNextLook({ directory, clock }: PruneDeps): number {
  const next = directory.nextEntryExpiry()
  if (next === undefined) return LOOK_MAX_MS
  return Math.min(Math.max(next.getTime() - clock.now().getTime(), LOOK_MIN_MS), LOOK_MAX_MS)
}

const commitAll = async (store: Store, transactions: readonly Transaction[]): Promise<readonly Outcome[]> =>
  transactions.length === 0 ? [] : store.commitAll(transactions)

/** Waits until the directory shows what was committed, so that the next look does not find it again. */
async function settled(directory: Directory, outcomes: readonly Outcome[]): Promise<number> {
  const revisions = outcomes.flatMap((outcome) => (outcome.ok ? [outcome.revision] : []))
  await directory.reached(Math.max(0, ...revisions))
  return revisions.length
}
