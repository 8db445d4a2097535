import { opensWithin } from '../../src/policy/grant-template.ts'
import { compileGuard } from '../../src/policy/guard.ts'
import { identitySet } from '../../src/policy/party.ts'
import type { GrantTemplate, PolicySet } from '../../src/policy/policy-set.ts'
import type { Deed } from '../audit/deed.ts'
import { lifecycleEvent } from '../audit/lifecycle-events.ts'
import { grantOf, isLive } from '../policy/live-lifecycle.ts'
import type { CurrentPolicy } from '../policy/policy-book.ts'
import type { GrantRow, LifecycleObject } from '../store/policy-rows.ts'
import { changed, changeRow } from './change-row.ts'
import { endNoMoreGiven, endRequest, type EndOf } from './end-request.ts'
import {
  checkBelongs,
  checkReason,
  isRegistered,
  nameOf,
  newId,
  notFound,
  policyFor,
  refused,
  registeredId,
  type LifecycleDeps,
} from './lifecycle-deps.ts'
import { afterApproval, checkWaits, isOver } from './waiting.ts'

export interface GrantOrder {
  readonly template: string
  readonly subject: string
  /** 0: as long as the template allows. */
  readonly durationMs: number
  readonly reason: string
  readonly ticket: string
}

const WHAT = 'grant'

/**
 * Asks for what a template offers; it is live once enough others have approved it (§3.9).
 *
 * @throws {@link SallyportError} `LIFECYCLE_REFUSED`, `LIFECYCLE_NOT_FOUND`, `SPIFFE_ID_INVALID`
 */
export async function requestGrant(order: GrantOrder, deed: Deed, deps: LifecycleDeps): Promise<GrantRow> {
  return await changeRow(deps, () => {
    const template = templateOf(order.template, deps)
    checkOrder(order, template)
    const subject = registeredId(WHAT, order.subject, deps)
    checkMayHold(template, subject, deps)
    checkNoOverlap(template, subject, deps)
    const { from, to, allow } = template.movement
    const { count, from: approvalsFrom } = template.approvals
    const row: GrantRow = {
      ...{ kind: 'grant', id: newId('g', deps), revisionNumber: 0, template: template.id, subject },
      opens: {
        movement: { from: { zone: from.zone }, to: { zone: to.zone, identities: to.identities }, allow },
        access: template.access,
      },
      durationMs: order.durationMs === 0 ? template.maxDurationMs : order.durationMs,
      ...{ reason: order.reason, ticket: order.ticket, by: nameOf(deed), sinceMs: deed.at.getTime() },
      // Nobody gives a right to themselves: one other person at least (ZO-60).
      ...{ approvers: [], approvalsNeeded: Math.max(1, count), approvalsFrom, notSelf: true },
      approveByMs: deed.at.getTime() + deps.approvals.grantMs,
    }
    return {
      row,
      events: [],
      audit: [lifecycleEvent('grant.requested', deed, factsOf(row))],
    }
  })
}

/** Approves as one person; the last one that is needed makes it live from now on. */
export async function approveGrant(id: string, deed: Deed, deps: LifecycleDeps): Promise<GrantRow> {
  return await changeRow(deps, () => {
    const pending = grantRow(id, deps)
    const approver = nameOf(deed)
    checkMayApprove(pending, approver, deps)
    // The policy may be another one than when it was asked for.
    const template = templateOf(pending.template, deps)
    checkOrder(pending, template)
    checkStillOffered(pending, template)
    checkMayHold(template, pending.subject, deps)
    const approvers = [...pending.approvers, approver]
    const approval = { given: approvers.length, asked: template.approvals.count, nowMs: deed.at.getTime() }
    const row = changed(pending, { approvers, ...afterApproval(pending, approval) })
    return {
      row,
      events: isLive(row) ? [{ kind: 'grant.add', body: grantOf(row) }] : [],
      audit: [lifecycleEvent('grant.approved', deed, { ...factsOf(row), untilMs: row.untilMs })],
    }
  })
}

const endOfGrant: EndOf<GrantRow> = {
  event: ({ id }) => ({ kind: 'grant.end', body: { id } }),
  audit: (row, deed, reason) => lifecycleEvent('grant.ended', deed, { ...factsOf(row), reason }),
}

/** Ends a grant early, or refuses one that waits. There is no renewal: only a new request. */
export async function revokeGrant(id: string, reason: string, deed: Deed, deps: LifecycleDeps): Promise<GrantRow> {
  const standing = { what: 'end the grant', find: () => grantRow(id, deps), reason }
  return await endRequest(standing, endOfGrant, deed, deps)
}

/** The subject is another one by its labels, its entries or the policy (§3.11), or the template asks for more than the grant has. */
export async function recheckGrants(at: Date, deps: LifecycleDeps): Promise<void> {
  const standing = { all: () => grants(deps), whyNot: (row: GrantRow) => whyNotAnyMore(row, deps) }
  await endNoMoreGiven(standing, endOfGrant, at, deps)
}

function whyNotAnyMore(row: GrantRow, deps: LifecycleDeps): string | undefined {
  const { template: name, subject, opens, durationMs, approvers } = row
  if (!isRegistered(subject, deps)) return `${subject} is not registered any more`
  const template = policyFor(WHAT, deps).grantTemplates.find(({ id }) => id === name)
  if (template === undefined) return `the policy has no template ${name} any more`
  if (!opensWithin(opens, template)) return `template ${name} does not offer all of what it opens any more`
  const { maxDurationMs, approvals } = template
  if (durationMs > maxDurationMs) return `template ${name} allows ${minutes(maxDurationMs)} at most now`
  if (approvers.length < approvals.count)
    return `template ${name} asks for ${approvals.count} approvals now, and it has ${approvers.length}`
  return whyNot(template, subject, deps)
}

export const grants = ({ book }: Pick<LifecycleDeps, 'book'>): GrantRow[] => [...book.lifecycleRows()].filter(isGrant)

const isGrant = (row: LifecycleObject): row is GrantRow => row.kind === 'grant'

function grantRow(id: string, { book }: LifecycleDeps): GrantRow {
  const row = book.lifecycleRow(id)
  if (row?.kind !== 'grant') throw notFound('grant', id)
  return row
}

function templateOf(id: string, deps: LifecycleDeps): GrantTemplate {
  const template = policyFor(WHAT, deps).grantTemplates.find((one) => one.id === id)
  if (template === undefined) throw notFound('grant template', id)
  return template
}

function checkOrder(
  { durationMs, reason, ticket }: Pick<GrantOrder, 'durationMs' | 'reason' | 'ticket'>,
  { maxDurationMs, requires, id }: GrantTemplate,
): void {
  if (durationMs < 0 || durationMs > maxDurationMs) {
    throw refused(WHAT, `template ${id} allows ${minutes(maxDurationMs)} at most`)
  }
  if (requires.includes('reason')) checkReason(WHAT, reason)
  if (requires.includes('ticket') && ticket.trim() === '') throw refused(WHAT, `template ${id} requires a ticket`)
  for (const text of [reason, ticket]) if (text !== '') checkReason(WHAT, text)
}

/** Whoever approves it may go by what the template says now, and that by those whom it names now. */
function checkStillOffered({ opens, approvalsFrom }: GrantRow, template: GrantTemplate): void {
  if (opensWithin(opens, template) && approvalsFrom === template.approvals.from) return
  throw refused(
    WHAT,
    `template ${template.id} says something else than when it was asked for`,
    'Ask again, for what it offers now.',
  )
}

/** The subject is one that the template names, in the zone that it starts from, and no hard guard stands between. */
function checkMayHold(template: GrantTemplate, subject: string, deps: LifecycleDeps): void {
  const why = whyNot(template, subject, deps)
  if (why !== undefined) throw refused(WHAT, why)
}

/** What stands between a subject and a template, or undefined. */
function whyNot(template: GrantTemplate, subject: string, { book }: LifecycleDeps): string | undefined {
  const current = book.current as CurrentPolicy
  const { policy } = current.row
  const party = current.members.partyOf(subject)
  const isNamed = (patterns: readonly string[] | undefined): boolean =>
    patterns === undefined || identitySet(patterns, policy.trustDomain).has(party)
  if (!isNamed(template.subject)) return `${subject} is no subject of template ${template.id}`
  const { zone, identities } = template.movement.from
  if (party.zone?.id !== zone || !isNamed(identities)) {
    return `${subject} is not where template ${template.id} starts, in zone ${zone}`
  }
  const guard = hardGuardBetween(policy, current, subject, template)
  return guard && `hard guard ${guard} stands between ${subject} and ${template.access.to}`
}

function hardGuardBetween(
  policy: PolicySet,
  { members }: CurrentPolicy,
  subject: string,
  { access }: GrantTemplate,
): string | undefined {
  const idOf = (name: string): string | undefined => {
    const service = policy.services.find(({ id }) => id === name)
    return service && `spiffe://${policy.trustDomain}${service.identity}`
  }
  const destination = idOf(access.to)
  if (destination === undefined) return undefined
  const [from, to] = [members.partyOf(subject), members.partyOf(destination)]
  // A condition is one about requests to come: a guard that may hold counts.
  const standing = policy.guards.filter(({ hard, to: { actions }, gate }) => {
    return hard && (gate === 'movement' || actions === undefined || actions.some((one) => access.actions.includes(one)))
  })
  return standing.find((guard) => compileGuard(guard, policy.trustDomain, idOf).concerns(from, to, access.to))?.id
}

function checkNoOverlap(template: GrantTemplate, subject: string, deps: LifecycleDeps): void {
  const nowMs = deps.clock.now().getTime()
  const other = grants(deps).find(
    (one) => one.template === template.id && one.subject === subject && !isOver(one, nowMs),
  )
  if (other !== undefined) throw refused(WHAT, `${subject} has ${other.id} of template ${template.id} already`)
}

function checkMayApprove(row: GrantRow, approver: string, deps: LifecycleDeps): void {
  const what = `approve the grant ${row.id}`
  checkWaits(row, what, deps.clock.now().getTime())
  if (row.by === approver) throw refused(what, 'whoever asked for it cannot approve it')
  if (row.subject === approver) throw refused(what, 'whoever gets it cannot approve it')
  if (row.approvers.includes(approver)) throw refused(what, `${approver} has approved it already`)
  checkBelongs(what, row.approvalsFrom, approver, deps)
}

const minutes = (ms: number): string => `${ms / 60_000} minutes`

const factsOf = ({ id, template, subject, reason, ticket, approvers }: GrantRow) => ({
  ...{ grantId: id, template, spiffeId: subject, reason, ticket, approvers },
})
