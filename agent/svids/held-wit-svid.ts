import type { SpiffeId } from '../../src/id/spiffe-id.ts'

/** A WIT-SVID that this agent holds for one entry, in the texts that workloads get. It is gone with the agent: no disk holds its key. */
export interface HeldWitSvid {
  readonly entryId: string
  /** The entry as it was when this was signed. */
  readonly entryRevision: number
  readonly entryCreatedAt: Date
  readonly spiffeId: SpiffeId
  readonly token: string
  /** A private JWK as JSON. */
  readonly privateJwk: string
  readonly expiresAt: Date
  /** Drawn once. */
  readonly renewAt: Date
  /** Which key of the trust domain has signed it. */
  readonly keyId: string
}
