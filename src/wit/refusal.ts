import { type ErrorCode, errorCodes, SallyportError } from '../errors.ts'
import type { BearerResponse } from '../http/bearer.ts'

/** What is wrong with a WIT-SVID or its proof. Never 401: that would ask for credentials in a header that no WIT-SVID is sent in. */
const PROBLEMS_OF_PROOF: ReadonlySet<ErrorCode> = new Set([
  'BUNDLE_UNKNOWN',
  'CONTENT_DIGEST_INVALID',
  'HTTP_SIGNATURE_INVALID',
  'JSON_INVALID',
  'JWS_INVALID',
  'JWS_SIGNATURE_INVALID',
  'KEY_REFUSED',
  'STRUCTURED_FIELD_INVALID',
  'WIT_KEY_UNKNOWN',
  'WIT_PROOF_AUDIENCE',
  'WIT_PROOF_EXPIRED',
  'WIT_PROOF_INVALID',
  'WIT_PROOF_MISSING',
  'WIT_PROOF_REPLAYED',
  'WIT_SVID_EXPIRED',
  'WIT_SVID_INVALID',
])

const STATUS_OF_OTHERS: Readonly<Partial<Record<ErrorCode, number>>> = {
  MESSAGE_TOO_LARGE: 413,
  PEER_REFUSED: 403,
  RESPONSE_NOT_SIGNABLE: 501,
}

/**
 * Answers a request that is not let in: 400 for what is wrong with the proof, 403 for a caller that is proven and not allowed, 413
 * for a body that is too long, 501 where the answer cannot be signed, 503 where there is nothing to verify with.
 *
 * @see RFC 9457
 */
export function refuseRequest(response: BearerResponse, error: unknown): void {
  // Somebody who would not wait, such as a limit of time, has answered already.
  if (response.headersSent) return
  const code = error instanceof SallyportError ? error.code : undefined
  const status = statusOf(code)
  // The code and its meaning alone: what is special to a request may be a part of its tokens.
  const title = code === undefined || status === 503 ? errorCodes.NOT_READY.means : errorCodes[code].means
  const body = Buffer.from(
    JSON.stringify({ type: 'about:blank', title, status, ...(code === undefined ? {} : { code }) }),
  )
  response.statusCode = status
  response.setHeader('Content-Type', 'application/problem+json')
  response.setHeader('Content-Length', body.length)
  response.end(body)
}

function statusOf(code: ErrorCode | undefined): number {
  if (code === undefined) return 503
  return PROBLEMS_OF_PROOF.has(code) ? 400 : (STATUS_OF_OTHERS[code] ?? 503)
}
