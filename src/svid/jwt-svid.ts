import { SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import { parseJws, type ParsedJws } from '../jws/parse-jws.ts'
import type { JsonObject, JsonValue } from '../jws/strict-json.ts'
import { expiryOf, instantOf, subjectOf } from './token-claims.ts'

/** The most audiences that a token may name. */
export const JWT_SVID_MAX_AUDIENCES = 100

/**
 * The audiences that somebody asks for or accepts. There is at least one: "no audience" must never come to mean "any audience".
 *
 * @param who needs them, for the message
 * @throws TypeError
 */
export function wantedAudiences(audience: readonly string[] | string, who: string): readonly string[] {
  const wanted = typeof audience === 'string' ? [audience] : audience
  if (wanted.length === 0 || wanted.includes('')) throw new TypeError(`${who} needs at least one audience`)
  return wanted
}

/** A JWT-SVID. The token is a credential: it is never logged. */
export interface JwtSvid {
  readonly spiffeId: SpiffeId
  /** At least one, in the order of the token. */
  readonly audience: readonly string[]
  readonly issuedAt: Date | undefined
  readonly expiresAt: Date
  /** Every claim, as the token has it. */
  readonly claims: JsonObject
  readonly token: string
  /** Which key of its trust domain has signed it; undefined when it does not say. */
  readonly keyId: string | undefined
  readonly hint: string
}

/**
 * Reads a JWT-SVID that this process was given by whom it trusts, such as its agent. Verifies nothing.
 *
 * @throws {@link SallyportError} `JWS_INVALID`, `JSON_INVALID`, `JWT_SVID_INVALID`
 */
export function parseJwtSvid(token: string, hint = ''): JwtSvid {
  return jwtSvidOf(parseJws(token), token, hint)
}

/** The claims of a token, in the types and places that JWT-SVID §3 asks for. */
export function jwtSvidOf({ payload, keyId }: ParsedJws, token: string, hint = ''): JwtSvid {
  const expiresAt = expiryOf(payload, invalid)
  return {
    spiffeId: subjectOf(payload, invalid),
    audience: audienceOf(payload['aud']),
    issuedAt: instantOf(payload, 'iat', invalid),
    expiresAt,
    claims: payload,
    token,
    keyId,
    hint,
  }
}

function audienceOf(aud: JsonValue | undefined): readonly string[] {
  const values: readonly (JsonValue | undefined)[] = Array.isArray(aud) ? (aud as readonly JsonValue[]) : [aud]
  if (values.length === 0 || values.some((value) => typeof value !== 'string' || value === '')) {
    throw invalid('its "aud" is not a list of at least one audience')
  }
  if (values.length > JWT_SVID_MAX_AUDIENCES)
    throw invalid(`its "aud" names more than ${JWT_SVID_MAX_AUDIENCES} audiences`)
  return values as readonly string[]
}

/** `nbf`: when it begins, where it says so. */
export const notBeforeOf = ({ claims }: JwtSvid): Date | undefined => instantOf(claims, 'nbf', invalid)

function invalid(why: string, cause?: unknown): SallyportError {
  return new SallyportError('JWT_SVID_INVALID', `Cannot accept JWT-SVID: ${why}`, { cause })
}
