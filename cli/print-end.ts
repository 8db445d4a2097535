import { printInstant } from './print.ts'

/**
 * The end of what holds, or until when somebody may approve what waits.
 *
 * @param untilMs 0: it does not hold yet
 * @param approveByMs 0: it does not wait any more
 */
export function printEnd(untilMs: number, approveByMs: number): string {
  if (untilMs !== 0) return printInstant(new Date(untilMs), new Date())
  return approveByMs === 0 ? '' : `approve by ${printInstant(new Date(approveByMs), new Date())}`
}
