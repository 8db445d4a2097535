import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { AuthorityRow } from '../store/store.ts'

/** A new authority is prepared this long before the end of the active one at the earliest (SPIRE's rule). */
const PREPARE_AHEAD_MAX_MS = 30 * 24 * 3_600_000
/** Partners poll: the first signature comes this many of their intervals after publication, where time allows. */
const REFRESH_HINTS_BEFORE_USE = 3
/** How long a server that joins others waits for agents that do not acknowledge. */
export const JOIN_WAIT_MS = 30_000
/** An old authority stays this long after it and its last SVID ended, for verifiers whose clocks are behind. */
export const REMOVAL_MARGIN_MS = 600_000
/** How often it is asked again whether agents have acknowledged. */
const ACKNOWLEDGEMENT_INTERVAL_MS = 10_000

/** What the decision needs to know about one authority of this server. */
export interface AuthorityFacts {
  readonly row: AuthorityRow
  /** Its private key is in the key store. */
  readonly hasKey: boolean
  readonly isInBundle: boolean
  /** No SVID of it is valid after this. */
  readonly lastSvidEnds: Date
}

export interface RotationFacts {
  /** This server's authorities of one kind. */
  readonly authorities: readonly AuthorityFacts[]
  readonly now: Date
  readonly longestSvidMs: number
  readonly refreshHintSeconds: number
  /** Live agents that have not acknowledged the bundle of that revision. */
  readonly missing: (revision: number) => readonly SpiffeId[]
  /** False while the wall clock is not to be believed. */
  readonly mayRemove: boolean
  /** Other servers sign for this trust domain already, so nobody waits for this one's first authority. */
  readonly joinsOthers: boolean
}

/** The one thing to do now. */
export type Step =
  | { readonly do: 'prepare' }
  | { readonly do: 'publish'; readonly authorityId: string }
  /** Publishes it too, when it is not. `missing` are the agents that were not waited for. */
  | { readonly do: 'activate'; readonly authorityId: string; readonly missing: readonly SpiffeId[] }
  | { readonly do: 'remove'; readonly authorityIds: readonly string[] }

/** What an authority waits for; `missing` only while agents are waited for. */
export interface Waiting {
  readonly authorityId: string
  readonly for: string
  readonly missing: readonly SpiffeId[]
}

export interface Plan {
  readonly step: Step | undefined
  readonly waiting: readonly Waiting[]
  /** When to decide again, if nothing else happens. */
  readonly again: Date | undefined
}

/** The instants in the life of an authority at which rotation acts. */
export function rotationTimes(
  { notBefore, notAfter }: Pick<AuthorityRow, 'notBefore' | 'notAfter'>,
  longestSvidMs: number,
): { readonly prepareAt: Date; readonly replaceBy: Date } {
  const lifeMs = notAfter.getTime() - notBefore.getTime()
  const aheadMs = Math.min(lifeMs / 2, PREPARE_AHEAD_MAX_MS)
  // SVIDs that live nearly as long as their authority are cut short rather than leaving no time to publish the next one.
  const lastMs = Math.min(longestSvidMs, (aheadMs * 2) / 3)
  return {
    prepareAt: new Date(notAfter.getTime() - aheadMs),
    replaceBy: new Date(notAfter.getTime() - lastMs),
  }
}

/** How often readers should look for a new bundle: often enough to see every authority before its first signature. */
export function refreshHintFor(lifeMs: number, longestSvidMs: number, wantedSeconds: number): number {
  const { prepareAt, replaceBy } = rotationTimes({ notBefore: new Date(0), notAfter: new Date(lifeMs) }, longestSvidMs)
  const waitMs = (replaceBy.getTime() - prepareAt.getTime()) / 2
  return Math.max(1, Math.min(wantedSeconds, Math.floor(waitMs / 4000)))
}

export const isValidAt = ({ notBefore, notAfter }: Pick<AuthorityRow, 'notBefore' | 'notAfter'>, now: Date): boolean =>
  notBefore <= now && now < notAfter

const maySign = ({ row, hasKey, isInBundle }: AuthorityFacts, now: Date): boolean =>
  hasKey && isInBundle && isValidAt(row, now)

/** Decides the next step of a rotation: a pure function of what is known, so that it can be asked again after any crash. */
export function planRotation(facts: RotationFacts): Plan {
  const { authorities, now } = facts
  const active = authorities.find((one) => one.row.state === 'active' && maySign(one, now))
  const next = authorities.findLast((one) => isCandidate(one, now))
  const plan = active === undefined ? planStart(next, facts) : planSuccession(active, next, facts)
  return plan.step === undefined ? planRemoval(next, plan, facts) : plan
}

function isCandidate(one: AuthorityFacts, now: Date): boolean {
  const { state } = one.row
  if (state === 'published') return maySign(one, now)
  return state === 'prepared' && one.hasKey && isValidAt(one.row, now)
}

/** Nothing can sign: the next authority does so at once, because waiting would protect nobody. */
function planStart(next: AuthorityFacts | undefined, facts: RotationFacts): Plan {
  if (next === undefined) return doing({ do: 'prepare' })
  const { row } = next
  const missing = row.publishedRevision === undefined ? [] : facts.missing(row.publishedRevision)
  if (!facts.joinsOthers) return doing({ do: 'activate', authorityId: row.authorityId, missing })
  if (row.state === 'prepared') return doing({ do: 'publish', authorityId: row.authorityId })
  const limit = later(row.changedAt, JOIN_WAIT_MS)
  if (missing.length === 0 || facts.now >= limit) {
    return doing({ do: 'activate', authorityId: row.authorityId, missing })
  }
  return waitingFor(row, agentsUntil(missing, limit), later(facts.now, 1000), missing)
}

function planSuccession(active: AuthorityFacts, next: AuthorityFacts | undefined, facts: RotationFacts): Plan {
  const { now, longestSvidMs, refreshHintSeconds } = facts
  const { prepareAt, replaceBy } = rotationTimes(active.row, longestSvidMs)
  if (next === undefined) {
    if (now >= prepareAt) return doing({ do: 'prepare' })
    return waitingFor(active.row, `its successor is prepared at ${prepareAt.toISOString()}`, prepareAt)
  }
  const { row } = next
  if (row.state === 'prepared') return doing({ do: 'publish', authorityId: row.authorityId })
  // Prepared by hand before it is due: it stays ready until it is asked for, or due.
  if (now < prepareAt) return waitingFor(row, `rotation is due at ${prepareAt.toISOString()}`, prepareAt)

  const since = row.changedAt > prepareAt ? row.changedAt : prepareAt
  const limit = later(since, Math.max(0, (replaceBy.getTime() - since.getTime()) / 2))
  const known = earlier(later(row.changedAt, REFRESH_HINTS_BEFORE_USE * refreshHintSeconds * 1000), limit)
  const missing = facts.missing(row.publishedRevision ?? 0)
  if (now >= limit || (now >= known && missing.length === 0)) {
    return doing({ do: 'activate', authorityId: row.authorityId, missing })
  }
  return missing.length > 0
    ? waitingFor(row, agentsUntil(missing, limit), earlier(limit, later(now, ACKNOWLEDGEMENT_INTERVAL_MS)), missing)
    : waitingFor(row, `partners read the bundle until ${known.toISOString()}`, known)
}

/** Old authorities go when nothing valid needs them; those that never came to sign, at once. */
function planRemoval(next: AuthorityFacts | undefined, plan: Plan, facts: RotationFacts): Plan {
  const waiting = [...plan.waiting]
  const gone: string[] = []
  let again = plan.again
  for (const one of facts.authorities) {
    const { row } = one
    if (one === next || row.state === 'active' || row.state === 'removed') continue
    const at = row.state === 'old' ? removalTime(one) : facts.now
    if (at <= facts.now && facts.mayRemove) {
      gone.push(row.authorityId)
      continue
    }
    const why = at <= facts.now ? 'the wall clock to be steady' : `its SVIDs to end at ${at.toISOString()}`
    waiting.push({ authorityId: row.authorityId, for: why, missing: [] })
    const until = at <= facts.now ? later(facts.now, 60_000) : at
    again = again === undefined ? until : earlier(again, until)
  }
  return { step: gone.length > 0 ? { do: 'remove', authorityIds: gone } : undefined, waiting, again }
}

function removalTime({ row, lastSvidEnds, isInBundle }: AuthorityFacts): Date {
  if (!isInBundle) return new Date(0)
  const lifeMs = row.notAfter.getTime() - row.notBefore.getTime()
  const unneeded = lastSvidEnds > row.changedAt ? lastSvidEnds : row.changedAt
  return later(earlier(unneeded, row.notAfter), Math.min(REMOVAL_MARGIN_MS, lifeMs / 6))
}

const doing = (step: Step): Plan => ({ step, waiting: [], again: undefined })

const waitingFor = (row: AuthorityRow, text: string, again: Date, missing: readonly SpiffeId[] = []): Plan => ({
  step: undefined,
  waiting: [{ authorityId: row.authorityId, for: text, missing }],
  again,
})

const agentsUntil = (missing: readonly SpiffeId[], limit: Date): string =>
  `${missing.length} agents to acknowledge it, until ${limit.toISOString()}: ${missing.slice(0, 10).join(', ')}${missing.length > 10 ? ', …' : ''}`

const later = (time: Date, ms: number): Date => new Date(time.getTime() + ms)
const earlier = (a: Date, b: Date): Date => (a < b ? a : b)
