import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { DecisionBatch } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Attestation } from './attestation.ts'
import type { Follow, FollowOptions } from './follow.ts'

/** The most CSRs or keys that are sent in one call; servers refuse more (client-quirks 44). */
export const SIGN_BATCH_MAX = 500

export interface X509SvidOrder {
  readonly entryId: string
  /** DER. */
  readonly csr: Buffer
}

/** A chain (DER, leaf first), or why this one was refused. */
export type X509SvidResult = { readonly chain: readonly Buffer[] } | { readonly refused: Error }

export interface SignedJwtSvid {
  readonly token: string
  readonly issuedAt: Date
  readonly expiresAt: Date
}

export interface WitSvidOrder {
  readonly entryId: string
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer
  /** What the workload signs its proofs with, such as ES256. */
  readonly signingAlgorithm: string
}

/** A token, or why this one was refused. */
export type WitSvidResult = { readonly token: string } | { readonly refused: Error }

/** An agent's own SVID as the server returned it. */
export interface AgentSvidReply {
  readonly spiffeId: SpiffeId
  /** DER, leaf first. */
  readonly chain: readonly Buffer[]
  /** May this agent attest again in the same way? False for a join token. */
  readonly reattestable: boolean
}

/** What a poll brought: the whole of what this agent is entitled to. */
export interface PolledState {
  readonly entries: readonly RegistrationEntry[]
  readonly bundles: readonly Bundle[]
}

/** The server's calls as functions. Each rejects with a SallyportError, or with what the server said. */
export interface Upstream {
  attest(attestation: Attestation, csr: Buffer, signal: AbortSignal): Promise<AgentSvidReply>
  renew(csr: Buffer, signal: AbortSignal): Promise<AgentSvidReply>
  /** As many results as orders, in their order. A failed call is repeated with smaller batches, then every order of it is refused. */
  signX509Svids(orders: readonly X509SvidOrder[], signal: AbortSignal): Promise<readonly X509SvidResult[]>
  /** As {@link signX509Svids}; METHOD_UNIMPLEMENTED where the server has no WIT-SVIDs. */
  signWitSvids(orders: readonly WitSvidOrder[], signal: AbortSignal): Promise<readonly WitSvidResult[]>
  signJwtSvid(entryId: string, audience: readonly string[], signal: AbortSignal): Promise<SignedJwtSvid>
  fetchBundle(signal: AbortSignal): Promise<Bundle>
  /** Undefined when the server does not know it (client-quirks 46). */
  fetchFederatedBundle(trustDomain: TrustDomain, signal: AbortSignal): Promise<Bundle | undefined>
  /** Resolves when the server has stored the batch; one that it had before is stored once. */
  reportDecisions(batch: DecisionBatch, signal: AbortSignal): Promise<void>
  /** The push stream: states as they happen. */
  follow(options: FollowOptions, signal: AbortSignal): Follow
  /** Everything at once, for servers without the stream; `held` saves sending entries that have not changed. */
  poll(held: ReadonlyMap<string, RegistrationEntry>, signal: AbortSignal): Promise<PolledState>
}
