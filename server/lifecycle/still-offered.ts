import type { BreakGlass } from '../../src/policy/policy-set.ts'
import type { BreakGlassRow } from '../store/policy-rows.ts'

/**
 * Does the declaration still open all of what the session does? Requests keep what they were asked for, and the policy may be another
 * one by the time that somebody approves them, or while they are live. What it offers no longer is not given, and is not left open.
 */
export const offersSession = (declared: BreakGlass, { from, to, overrides }: BreakGlassRow['opens']): boolean =>
  isWithin(from, declared.from) && isWithin(to, declared.to) && isWithin(overrides, declared.overrides)

const isWithin = (some: readonly string[], all: readonly string[]): boolean => some.every((one) => all.includes(one))
