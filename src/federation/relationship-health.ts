import type { TrustDomain } from '../id/trust-domain.ts'
import type { HeldDocument } from './judge-document.ts'

/**
 * How a relationship is doing:
 *
 * - `starting`: no bundle has been fetched yet.
 * - `current`: the bundle in use is what the endpoint answered last.
 * - `degraded`: the last fetch failed, or its answer could not be used; the last good bundle stays in use.
 * - `withdrawn`: the bundle in use has no key, so that nobody of the trust domain is trusted.
 * - `expired`: every X.509 authority of the bundle in use is past its end, and it has no other key.
 * - `closed`: the relationship has ended, or all have been closed.
 */
export type RelationshipStatus = 'starting' | 'current' | 'degraded' | 'withdrawn' | 'expired' | 'closed'

/** The state of the relationship with one foreign trust domain. */
export interface RelationshipHealth {
  readonly trustDomain: TrustDomain
  readonly status: RelationshipStatus
  /** The last thing that went wrong since the last good fetch. */
  readonly error: Error | undefined
  /** When the last X.509 authority of the bundle in use ends; undefined where there is none. */
  readonly expiresAt: Date | undefined
  /** `spiffe_sequence` of the bundle in use. */
  readonly sequence: bigint | undefined
  /** When the endpoint last answered with a bundle that could be used; undefined since the start: not yet. */
  readonly refreshedAt: Date | undefined
}

/** When the last X.509 authority ends. */
export function endOf({ document }: HeldDocument): Date | undefined {
  const ends = document.bundle.x509Authorities.map(({ certificate }) => certificate.notAfter.getTime())
  return ends.length === 0 ? undefined : new Date(Math.max(...ends))
}

/** The status of a relationship that is open. */
export function statusOf(held: HeldDocument | undefined, error: Error | undefined, now: Date): RelationshipStatus {
  if (held === undefined) return 'starting'
  const { x509Authorities, jwtAuthorities, witAuthorities } = held.document.bundle
  const tokenKeys = jwtAuthorities.length + witAuthorities.length
  if (x509Authorities.length + tokenKeys === 0) return 'withdrawn'
  const end = endOf(held)
  if (end !== undefined && end <= now && tokenKeys === 0) return 'expired'
  return error === undefined ? 'current' : 'degraded'
}
