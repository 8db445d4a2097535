import { hash } from 'node:crypto'
import { isJsonObject, type JsonObject, type JsonValue } from '../jws/strict-json.ts'
import {
  ACCESS_TOKEN_FIELD,
  type HeaderFields,
  PROOF_TOKEN_FIELD,
  tokenFieldsOf,
  TRANSACTION_TOKEN_FIELD,
  WIT_FIELD,
} from './header-fields.ts'

/** The most tokens that the `oth` of a proof may name. */
export const MAX_OTHER_TOKENS = 16

/** What a proof says about the other tokens of its request. */
export interface TokenClaims {
  /** The OAuth access token. */
  readonly ath?: string
  /** The transaction token. */
  readonly tth?: string
  /** Others, by the name of their header. */
  readonly oth?: Readonly<Record<string, string>>
}

/** How a proof names a token: SHA-256 of its characters, in base64url. */
export function tokenHash(token: string): string {
  return hash('sha256', Buffer.from(token, 'latin1'), 'buffer').toString('base64url')
}

/**
 * The claims for the tokens that a request carries.
 *
 * @param tokenFields headers besides `Authorization` and `Txn-Token` that carry tokens, in lower case
 */
export function claimsOfTokens(fields: HeaderFields, tokenFields: readonly string[]): TokenClaims {
  const accessToken = accessTokenOf(fields)
  const transactionToken = fields.only(TRANSACTION_TOKEN_FIELD)?.trim()
  const others = otherTokens(fields, tokenFields)
  return {
    ...(accessToken === undefined ? {} : { ath: tokenHash(accessToken) }),
    ...(transactionToken === undefined ? {} : { tth: tokenHash(transactionToken) }),
    ...(others.length === 0
      ? {}
      : { oth: Object.fromEntries(others.map((name) => [name, tokenHash(fields.only(name)?.trim() ?? '')])) }),
  }
}

/**
 * Why a proof does not cover the tokens of its request, or undefined when it does: each token is named, and what is named is there.
 *
 * @see draft-ietf-wimse-wpt-02 §3
 */
export function problemOfTokens(
  claims: JsonObject,
  fields: HeaderFields,
  tokenFields: readonly string[],
): string | undefined {
  const repeated = tokenFieldsOf(tokenFields).find((name) => fields.count(name) > 1)
  if (repeated !== undefined) return `the request has several headers "${repeated}"`
  const accessToken = accessTokenOf(fields)
  if (claims['ath'] !== hashOf(accessToken)) return 'its "ath" is not the hash of the access token of the request'
  if (claims['tth'] !== hashOf(fields.only(TRANSACTION_TOKEN_FIELD)?.trim()))
    return 'its "tth" is not the hash of the transaction token of the request'
  return problemOfOthers(claims['oth'], fields, otherTokens(fields, tokenFields))
}

/** The names of the headers whose tokens a proof covers, when {@link problemOfTokens} has none. */
export function coveredTokens(claims: JsonObject): ReadonlySet<string> {
  const { ath, tth, oth } = claims as { readonly ath?: JsonValue; readonly tth?: JsonValue; readonly oth?: JsonValue }
  return new Set([
    ...(ath === undefined ? [] : [ACCESS_TOKEN_FIELD]),
    ...(tth === undefined ? [] : [TRANSACTION_TOKEN_FIELD]),
    ...(isJsonObject(oth) ? Object.keys(oth) : []),
  ])
}

function problemOfOthers(
  oth: JsonValue | undefined,
  fields: HeaderFields,
  expected: readonly string[],
): string | undefined {
  if (oth !== undefined && !isJsonObject(oth)) return 'its "oth" is not an object'
  const named = Object.entries(oth ?? {})
  if (named.length > MAX_OTHER_TOKENS) return `its "oth" names more than ${MAX_OTHER_TOKENS} tokens`
  for (const [name, value] of named) {
    // Not there, there twice, or named otherwise than in lower case: what is hashed is not what somebody else will read.
    if (value !== hashOf(fields.only(name)?.trim()))
      return `its "oth" names ${JSON.stringify(name.slice(0, 60))}, which is not so in the request`
  }
  const missing = expected.find((name) => !Object.hasOwn(oth ?? {}, name))
  return missing === undefined ? undefined : `its "oth" does not name the token in "${missing}"`
}

const hashOf = (token: string | undefined): string | undefined => (token === undefined ? undefined : tokenHash(token))

/** Headers with tokens that have no claim of their own; `Authorization` is one unless it carries an access token. */
function otherTokens(fields: HeaderFields, tokenFields: readonly string[]): readonly string[] {
  const own: readonly string[] = [ACCESS_TOKEN_FIELD, TRANSACTION_TOKEN_FIELD, WIT_FIELD, PROOF_TOKEN_FIELD]
  const others = [...new Set(tokenFields)].filter((name) => fields.has(name) && !own.includes(name))
  return fields.has(ACCESS_TOKEN_FIELD) && accessTokenOf(fields) === undefined
    ? [ACCESS_TOKEN_FIELD, ...others]
    : others
}

/** The token alone, without the scheme; other schemes, such as Basic, carry no access token. */
function accessTokenOf(fields: HeaderFields): string | undefined {
  const [, token] = /^(?:Bearer|DPoP) +(\S+) *$/i.exec(fields.only(ACCESS_TOKEN_FIELD) ?? '') ?? []
  return token
}
