import type { TrustDomain } from '../id/trust-domain.ts'
import type { EndpointPeer } from './connect-endpoint.ts'
import type { RelationshipOptions } from './relationship.ts'

/**
 * What became of one fetch, for a log.
 *
 * @see SPIFFE_Federation.md §7
 */
export interface FetchReport {
  readonly trustDomain: TrustDomain
  /** The configured one. */
  readonly url: string
  readonly profile: RelationshipOptions['profile']
  /** Who answered last, where somebody has proved to be whom we wanted; with redirects this may be at another URL. */
  readonly answeredBy: (EndpointPeer & { readonly url: string }) | undefined
  /** `spiffe_sequence` of what was fetched, where it was a bundle. */
  readonly sequence: bigint | undefined
  /** `failed`: nothing has changed. */
  readonly outcome: 'installed' | 'unchanged' | 'failed'
  /** Why it failed, or why what was installed could not be stored. */
  readonly error: Error | undefined
  /** What was left out of the bundle or is odd about it, as sentences. */
  readonly warnings: readonly string[]
  readonly durationMs: number
}
