import type { SpiffeId } from '../id/spiffe-id.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import type { Labels } from './labels.ts'
import type { Selector } from './selector.ts'

/** Says that workloads with all of `selectors`, on nodes of `parentId`, are `spiffeId`. Holding one is proof that it is valid. */
export interface RegistrationEntry {
  /** 1-255 of A-Z a-z 0-9 . _ - */
  readonly id: string
  readonly spiffeId: SpiffeId
  /** An agent's id, the id of an alias, or the server's own id for the entry of an alias. */
  readonly parentId: SpiffeId
  /** At least one; all must hold. In the order given, without repeats. */
  readonly selectors: readonly Selector[]
  /** Seconds; 0 means the server's default. */
  readonly x509TtlSeconds: number
  readonly jwtTtlSeconds: number
  readonly federatesWith: readonly TrustDomain[]
  readonly admin: boolean
  readonly downstream: boolean
  readonly expiresAt: Date | undefined
  readonly dnsNames: readonly string[]
  /** At most 1,024 bytes. */
  readonly hint: string
  readonly storeSvid: boolean
  readonly x509PrefetchDisabled: boolean
  readonly jwtIncludesJti: boolean
  /** Facts for policy, such as `env: prod`; the entries of one SPIFFE ID agree in them (ZO-11). SPIRE's API does not carry them. */
  readonly labels: Labels
  readonly createdAt: Date
  /** Counts the updates of this entry, from 0. */
  readonly revisionNumber: number
}
