import type { BreakGlass, GrantTemplate } from '../../src/policy/policy-set.ts'
import type { BreakGlassRow, GrantRow } from '../store/policy-rows.ts'

/*
 * Requests keep what they were asked for, and the policy may be another one by the time that somebody approves them, or while they
 * are live. What it offers no longer is not given, and is not left open.
 */

/** Does the template still offer all of what the grant opens? Patterns are compared as they are written. */
export function offersGrant({ movement, access }: GrantTemplate, opens: GrantRow['opens']): boolean {
  const { from, to, allow } = opens.movement
  return (
    movement.from.zone === from.zone &&
    movement.to.zone === to.zone &&
    isWithin(to.identities, movement.to.identities) &&
    allow.every(({ protocol, ports }) => ports.every((port) => isAllowed(movement.allow, protocol, port))) &&
    access.to === opens.access.to &&
    isWithin(opens.access.actions, access.actions)
  )
}

/** Does the declaration still open all of what the session does? */
export const offersSession = (declared: BreakGlass, { from, to, overrides }: BreakGlassRow['opens']): boolean =>
  isWithin(from, declared.from) && isWithin(to, declared.to) && isWithin(overrides, declared.overrides)

/** Undefined: everything. */
const isWithin = (some: readonly string[] | undefined, all: readonly string[] | undefined): boolean =>
  all === undefined || (some !== undefined && some.every((one) => all.includes(one)))

const isAllowed = (
  allow: GrantTemplate['movement']['allow'],
  wanted: GrantTemplate['movement']['allow'][number]['protocol'],
  port: number,
): boolean => allow.some(({ protocol, ports }) => protocol === wanted && ports.includes(port))
