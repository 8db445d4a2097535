import { BREAK_GLASS_WAITS_MINUTES, GRANT_WAITS_HOURS } from '../config.ts'

/** How long requests wait for approval, in milliseconds. */
export interface ApprovalLimits {
  readonly grantMs: number
  readonly breakGlassMs: number
}

/** Where the configuration says nothing. */
export const APPROVAL_LIMITS: ApprovalLimits = {
  grantMs: GRANT_WAITS_HOURS * 3_600_000,
  breakGlassMs: BREAK_GLASS_WAITS_MINUTES * 60_000,
}
