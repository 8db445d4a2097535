import { z } from 'zod'

const SEGMENT = String.raw`(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+`
const PATTERN = String.raw`(?:\/(?:${SEGMENT}|\*(?!\*)))*\/(?:${SEGMENT}|\*\*?)`

/** A pattern of paths of one trust domain. */
export const ownPattern = z
  .string()
  .max(2048)
  .regex(new RegExp(`^${PATTERN}$`), 'must be a pattern on whole segments, such as /ns/web/** or /ns/*/sa/api')

/** A pattern of the own trust domain, or with `spiffe://` of any. */
export const anyPattern = z
  .string()
  .max(2048)
  .regex(
    new RegExp(`^(?:spiffe:\\/\\/[a-z0-9._-]{1,255})?${PATTERN}$`),
    'must be a pattern on whole segments, such as /ns/web/** or spiffe://partner.example/billing/**',
  )

export const condition = z.string().min(1).max(4096)

export const method = z
  .string()
  .max(64)
  .regex(/^(?!(?:CONNECT|TRACE)$)[A-Z]+(?:-[A-Z]+)*$/, 'must be a method in upper case, and neither CONNECT nor TRACE')

export const pathTemplate = z
  .string()
  .max(2048)
  .regex(
    /^(?:\/|(?:\/(?:[^/{}*?#\\;%\s]+|\{[A-Za-z0-9_]+\}))*(?:\/\*\*|\/)?)$/,
    'must be a template, such as /v1/orders/{id} or /admin/**',
  )

export const rpc = z
  .string()
  .max(1024)
  .regex(/^[A-Za-z_][\w.]*\/[A-Za-z_]\w*$/, 'must be a gRPC method, such as ledger.v1.Ledger/Get')

/** The target of a request as it would be on the wire: tests also try the bad ones. */
export const httpTarget = z.string().min(1).max(16_384)
