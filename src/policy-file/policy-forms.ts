import * as z from 'zod'
import { parsedBy } from '../config/field-types.ts'
import { checkCondition } from '../policy/condition/check-condition.ts'
import { parsePathTemplate } from '../policy/path-template.ts'
import { parsePattern, printPattern } from '../policy/pattern.ts'

/** The longest condition, in characters. */
export const CONDITION_MAX = 4096

/** A pattern of paths of one trust domain. */
export const ownPattern = parsedBy((written) => {
  const pattern = parsePattern(written)
  if (pattern.trustDomain === undefined) return printPattern(pattern)
  throw new Error('Cannot use a trust domain here: write the path alone, such as /ns/web/**')
})

/** A pattern of the own trust domain, or with `spiffe://` of any. */
export const anyPattern = parsedBy((written) => printPattern(parsePattern(written)))

/** A condition that can be read and whose types agree; it stays text. */
export const condition = parsedBy((written) => {
  if (written.length > CONDITION_MAX) throw new Error(`Cannot use a condition longer than ${CONDITION_MAX} characters`)
  checkCondition(written)
  return written
})

export const method = z
  .string()
  .max(64)
  .regex(/^(?!(?:CONNECT|TRACE)$)[A-Z]+(?:-[A-Z]+)*$/, 'must be a method in upper case, and neither CONNECT nor TRACE')

export const pathTemplate = parsedBy((written) => parsePathTemplate(written).text)

export const rpc = z
  .string()
  .max(1024)
  .regex(/^[A-Za-z_][\w.]*\/[A-Za-z_]\w*$/, 'must be a gRPC method, such as ledger.v1.Ledger/Get')

/** The target of a request as it would be on the wire: tests also try the bad ones. */
export const httpTarget = z.string().min(1).max(16_384)
