import type { CheckCode } from './check-codes.ts'

/** What a check has found, before severity, remedy and place are looked up. */
export interface Found {
  readonly code: CheckCode
  readonly path: readonly PropertyKey[]
  readonly message: string
}
