import type { IdentityRow } from '../membership.ts'
import type { Tables } from '../tables.ts'
import { DAY_MS, flowsOf, type Flow, type Observation } from './observed.ts'
import { ReachGraph } from './reach.ts'

/** A zone must have been watched for so long, and clean for so long. */
export const OBSERVED_DAYS_MIN = 14
export const CLEAN_DAYS_MIN = 7

/** One of the conditions under which a zone may stop observing. */
export interface PromotionCheck {
  readonly check: string
  readonly passed: boolean
  readonly detail: string
}

export interface PromotionFacts {
  readonly rows: readonly IdentityRow[]
  readonly observations: readonly Observation[]
  /** Since when the zone observes; undefined: since its first traffic. */
  readonly observingSinceMs: number | undefined
  readonly now: number
}

/**
 * May a zone go from observe to enforce? Nothing does by itself: an operator changes the policy (SE-43). Only flows that both ends
 * reported count (SE-47).
 *
 * @see zones.md §3.8
 */
export function checkPromotion(tables: Tables, zone: string, facts: PromotionFacts): PromotionCheck[] {
  const inbound = facts.observations.filter(({ destinationZone }) => destinationZone === zone)
  const flows = flowsOf(inbound)
  const confirmed = flows.filter(({ serverDays, clientDays }) => serverDays.size > 0 && clientDays.size > 0)
  return [
    observedLongEnough(inbound, facts),
    noWouldDenies(confirmed, flows.length - confirmed.length, facts),
    coveredByRules(tables, confirmed, facts),
  ]
}

function observedLongEnough(
  inbound: readonly Observation[],
  { observingSinceMs, now }: PromotionFacts,
): PromotionCheck {
  const firstMs = inbound.reduce((first, { firstMs }) => Math.min(first, firstMs), Infinity)
  const sinceMs = Math.max(observingSinceMs ?? firstMs, firstMs)
  const days = Number.isFinite(sinceMs) ? Math.floor((now - sinceMs) / DAY_MS) : 0
  return {
    check: `watched for ${OBSERVED_DAYS_MIN} days`,
    passed: days >= OBSERVED_DAYS_MIN,
    detail: Number.isFinite(sinceMs) ? `traffic of ${days} days` : 'no traffic was seen',
  }
}

/** Of identities that are registered: strangers are what enforcing is for. */
function noWouldDenies(flows: readonly Flow[], unconfirmed: number, { rows, now }: PromotionFacts): PromotionCheck {
  const known = new Set(rows.map(({ spiffeId }) => spiffeId))
  const recent = flows.filter(
    ({ source, observations }) =>
      known.has(source) &&
      observations.some(({ wouldDeny, lastMs }) => wouldDeny && now - lastMs <= CLEAN_DAYS_MIN * DAY_MS),
  )
  const names = recent.slice(0, 5).map(({ source, service, action }) => `${source} → ${service} ${action ?? ''}`.trim())
  const alone = unconfirmed === 0 ? '' : `; ${unconfirmed} reported by one end only are not counted`
  return {
    check: `no would-deny of a known identity for ${CLEAN_DAYS_MIN} days`,
    passed: recent.length === 0,
    detail: `${recent.length === 0 ? 'none' : names.join(', ')}${alone}`,
  }
}

function coveredByRules(tables: Tables, flows: readonly Flow[], { rows, now }: PromotionFacts): PromotionCheck {
  const known = new Set(rows.map(({ spiffeId }) => spiffeId))
  const graph = new ReachGraph(tables, { moment: { from: now }, variant: 'intended' })
  const uncovered = flows.filter(
    ({ source, service, action }) =>
      action !== null &&
      known.has(source) &&
      graph
        .direct(source)
        .find((reach) => reach.service === service)
        ?.actions.some((one) => one.action === action) !== true,
  )
  const names = uncovered.slice(0, 5).map(({ source, service, action }) => `${source} → ${service} ${action ?? ''}`)
  return {
    check: 'every active identity is covered by a rule',
    passed: uncovered.length === 0,
    detail: uncovered.length === 0 ? `${flows.length} flows` : names.join(', '),
  }
}
