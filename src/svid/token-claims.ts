import type { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import type { JsonObject } from '../jws/strict-json.ts'

/** Makes the error for a token whose claims break a rule. */
export type InvalidToken = (why: string, cause?: unknown) => SallyportError

/** Whose SVID a token is: a workload, and no whole trust domain. */
export function subjectOf({ sub }: JsonObject, invalid: InvalidToken): SpiffeId {
  if (typeof sub !== 'string') throw invalid('it has no "sub"')
  let spiffeId: SpiffeId
  try {
    spiffeId = SpiffeId.parse(sub)
  } catch (cause) {
    throw invalid('its "sub" is not a SPIFFE ID', cause)
  }
  if (spiffeId.path === '') throw invalid('its "sub" has no path, so it is the trust domain and no workload')
  return spiffeId
}

/** The end of a token, which each has. */
export function expiryOf(claims: JsonObject, invalid: InvalidToken): Date {
  const expiresAt = instantOf(claims, 'exp', invalid)
  if (expiresAt === undefined) throw invalid('it has no "exp"')
  return expiresAt
}

/** A claim that is a NumericDate; undefined where it is absent. */
export function instantOf(claims: JsonObject, name: string, invalid: InvalidToken): Date | undefined {
  const value = claims[name]
  if (value === undefined) return undefined
  const instant = numericDateOf(value)
  if (instant === undefined) throw invalid(`its "${name}" is not an instant`)
  return instant
}

/**
 * Seconds since 1970, also parts of them; undefined for what is none or is out of reach of a `Date`.
 *
 * @see RFC 7519 §2
 */
export function numericDateOf(seconds: unknown): Date | undefined {
  const instant = new Date(typeof seconds === 'number' ? seconds * 1000 : NaN)
  return Number.isNaN(instant.getTime()) ? undefined : instant
}
