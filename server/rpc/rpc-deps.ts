import type { Clock } from '../../src/clock.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { Log } from '../../src/log/log.ts'
import type { Call } from '../../src/wire/call.ts'
import type { Caller } from '../access/caller.ts'
import type { NodeAttestor } from '../attest/node-attestor.ts'
import type { RefusalCounter } from '../audit/refusal-counter.ts'
import type { Authorities } from '../authority/authorities.ts'
import type { Issuer } from '../authority/issuer.ts'
import type { Directory } from '../entries/directory.ts'
import type { LifecycleDeps } from '../lifecycle/lifecycle-deps.ts'
import type { FastLane } from '../policy/fast-lane.ts'
import type { Policies } from '../policy/policies.ts'
import type { PolicyBook } from '../policy/policy-book.ts'
import type { PolicyKeys, SecondSigner } from '../policy/policy-keys.ts'
import type { Slices } from '../policy/slices.ts'
import type { Store } from '../store/store.ts'
import type { Followers } from '../sync/followers.ts'
import type { ZoneRights } from './zone-rights.ts'

/** What the handlers of the server's API are made of. */
export interface RpcDeps {
  readonly trustDomain: TrustDomain
  readonly store: Store
  readonly directory: Directory
  readonly authorities: Pick<Authorities, 'bundle' | 'editBundle' | 'offers' | 'status'>
  readonly issuer: Issuer
  readonly attestors: readonly NodeAttestor[]
  /** Who calls. `server/access` has authorized the call before any handler runs. */
  readonly callerOf: (call: Call) => Caller
  /** Charges the signatures of a batch beyond the first, which was charged when the call came. */
  readonly spendSignatures: (call: Call, count: number) => Promise<void>
  /** Counts for the audit journal what a handler refuses and access could not. */
  readonly refusals: Pick<RefusalCounter, 'refused'>
  /** What the push streams know of agents, and what agents that poll let them know. */
  readonly fleet: Pick<Followers, 'statuses' | 'unheard' | 'polledBundle'>
  readonly policies: Policies
  readonly policyKeys: PolicyKeys
  readonly secondSigners: readonly SecondSigner[]
  readonly book: PolicyBook
  readonly slices: Slices
  readonly fastLane: FastLane
  readonly lifecycle: LifecycleDeps
  /** What callers who are bound to zones may see and change. */
  readonly zoneRights: ZoneRights
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: (bytes: number) => Buffer
  readonly log: Log
  readonly isReady: () => boolean
  readonly version: string
  readonly startedAt: Date
  /** `host:port` that agents reach this server at. */
  readonly address: () => string
}
