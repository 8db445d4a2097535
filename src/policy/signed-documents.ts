import type { IdentityRow } from './membership.ts'
import type { PolicySet } from './policy-set.ts'

/**
 * The content of a signed slice, as canonical JSON says it: the policy as far as it concerns one identity. Of two slices of an
 * identity the one with the higher (epoch, asOf) is the newer.
 *
 * @see zones.md §3.12; SE-45
 */
export interface SliceDocument {
  readonly v: 1
  /** Grows when the server was restored from a backup: its revisions are not those of the epoch before. */
  readonly epoch: number
  /** Of the policy. */
  readonly revision: number
  /** Of the server's store, which counts changes of policy, entries and labels in one order. */
  readonly asOf: number
  /** Milliseconds since 1970. */
  readonly issuedAt: number
  readonly trustDomain: string
  readonly spiffeId: string
  readonly policyName: string
  /** SHA-256 (hex) of { trustDomain, spiffeId, policyName, policy, members } as canonical JSON, members grouped as they travel: equal for slices that say the same. */
  readonly digest: string
  /** SHA-256 (hex) of the whole policy as canonical JSON: says of which policy this is a part. */
  readonly policyDigest: string
  readonly policy: PolicySet
  /** In no order. They travel as rows and groups of rows (`MemberGroup`). */
  readonly members: readonly IdentityRow[]
}

/** The content of a signed set of policy keys. */
export interface PolicyKeysDocument {
  readonly v: 1
  readonly epoch: number
  /** Grows with each change within an epoch. */
  readonly version: number
  readonly trustDomain: string
  readonly keys: readonly PolicyKeyRow[]
}

export interface PolicyKeyRow {
  /** SHA-256 (hex) of the public key. */
  readonly keyId: string
  /** SPKI, DER, base64. */
  readonly publicKey: string
  /** `second`: made elsewhere, for policies that touch a zone of target 4. */
  readonly use: 'policy' | 'second'
}
