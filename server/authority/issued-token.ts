import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { problemOfId } from './check-may-sign.ts'

/** A signed token, released: a JWT-SVID or a WIT-SVID. */
export interface IssuedToken {
  readonly spiffeId: SpiffeId
  readonly token: string
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** The `kid`. */
  readonly authorityId: string
  readonly hint: string
}

/** The claims that every kind of token has, in seconds. */
interface Claims {
  readonly sub: string
  readonly iat: number
  readonly exp: number
}

interface Order {
  readonly spiffeId: SpiffeId
  readonly hint?: string | undefined
}

export const issuedToken = (
  token: string,
  { spiffeId, hint = '' }: Order,
  { iat, exp }: Claims,
  authorityId: string,
): IssuedToken => ({
  ...{ spiffeId, token, authorityId, hint },
  issuedAt: new Date(iat * 1000),
  expiresAt: new Date(exp * 1000),
})

/**
 * Refuses tokens for ids that no workload may have.
 *
 * @throws {@link SallyportError} `SIGNING_REFUSED`
 */
export function checkTokenId(spiffeId: SpiffeId, trustDomain: TrustDomain): void {
  const refusal = problemOfId(spiffeId, { trustDomain, purpose: 'workload' })
  if (refusal === undefined) return
  throw new SallyportError('SIGNING_REFUSED', `Cannot sign a token for ${spiffeId}: ${refusal}`)
}

/** What left must say what was decided. */
export const signedOtherwise = ({ sub }: Claims): SallyportError =>
  new SallyportError('SIGNED_OTHERWISE', `Cannot release the token for ${sub}: it differs from what was decided`)
