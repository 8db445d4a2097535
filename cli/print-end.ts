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

/** The state of what people ask for, with who ended it before its time and why: `revoked by server: template db allows …`. */
export function printState(item: {
  readonly state: string
  readonly endedBy: string
  readonly endedReason: string
}): string {
  const { state, endedBy, endedReason } = item
  if (endedReason === '') return state
  return `${state} by ${endedBy}: ${endedReason}`
}
