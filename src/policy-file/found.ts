import type { Place } from '../config/yaml-source.ts'
import { checkCodes, type CheckCode } from './check-codes.ts'
import type { Finding } from './finding.ts'

/** What a check has found, before severity, remedy and place are looked up. */
export interface Found {
  readonly code: CheckCode
  readonly path: readonly PropertyKey[]
  readonly message: string
}

export const findingOf = (
  { code, path, message }: Found,
  placeOf: (path: readonly PropertyKey[]) => Place | undefined,
): Finding => ({
  code,
  severity: checkCodes[code].severity,
  path: path.join('.'),
  place: placeOf(path),
  message,
  remedy: checkCodes[code].remedy,
})
