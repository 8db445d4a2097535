import type { Validity } from '../policy-set.ts'
import { isValid } from '../windows.ts'
import { closedBecause, type CompiledConduit } from '../conduit.ts'

/** When an analysis asks: at one instant, or at any instant from one on. */
export type Moment = { readonly at: number } | { readonly from: number }

/** Does an allow hold then, or at some instant then? */
export function mayBeValid(valid: Validity, moment: Moment): boolean {
  return 'at' in moment ? isValid(valid, moment.at) : valid.until === undefined || moment.from < valid.until
}

/** Does a deny hold then, and at every instant then? */
export function isAlwaysValid({ from, until }: Validity, moment: Moment): boolean {
  if ('at' in moment) return isValid({ from, until }, moment.at)
  return until === undefined && (from === undefined || from <= moment.from)
}

/** At any instant: windows come every day. */
export function mayBeOpen(compiled: CompiledConduit, moment: Moment): boolean {
  return 'at' in moment ? closedBecause(compiled, moment.at) === null : mayBeValid(compiled.conduit.valid, moment)
}
