import type { HeldSvid } from './held-svid.ts'

/** What workloads get, in the texts that they get. */
export interface WitMaterial {
  readonly token: string
  /** A private JWK as JSON. */
  readonly privateJwk: string
}

/** A WIT-SVID that this agent holds for one entry. It is gone with the agent: no disk holds its key. */
export type HeldWitSvid = HeldSvid & WitMaterial
