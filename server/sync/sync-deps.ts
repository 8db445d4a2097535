import type { Clock } from '../../src/clock.ts'
import type { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Log } from '../../src/log/log.ts'
import type { Counter } from '../../src/metrics/registry.ts'
import type { Call, Connection } from '../../src/wire/call.ts'
import type { Caller } from '../access/caller.ts'
import type { Directory } from '../entries/directory.ts'
import type { FastLane } from '../policy/fast-lane.ts'
import type { PolicyBook } from '../policy/policy-book.ts'
import type { Slices } from '../policy/slices.ts'
import type { DecisionCounts, DecisionRoom } from '../store/decision-rows.ts'
import type { Store } from '../store/store.ts'

/** Signs what agents keep as evidence of the audit journal. */
export interface CheckpointSigner {
  /** SubjectPublicKeyInfo, DER; Ed25519. */
  readonly publicKey: Buffer
  sign(content: Buffer): Promise<Buffer>
}

/** What push streams take from policy. */
export interface PolicyPush {
  readonly book: PolicyBook
  readonly slices: Pick<Slices, 'digestOf' | 'signed'>
  readonly fastLane: Pick<FastLane, 'snapshot'>
}

export interface SyncDeps {
  readonly trustDomain: TrustDomain
  readonly directory: Directory
  readonly store: Store
  readonly checkpointSigner: CheckpointSigner
  /** Left out: agents hear nothing of policy. */
  readonly policy?: PolicyPush | undefined
  readonly decisionRoom: DecisionRoom
  /** Hears after each report how much is stored. */
  readonly decisionsHeld?: ((counts: DecisionCounts) => void) | undefined
  readonly decisionsStored?: Pick<Counter, 'add'> | undefined
  readonly callerOf: (call: Call) => Caller
  /** Why the caller of a stream may not go on, or undefined when it may. */
  readonly refusalOf: (call: Call) => Promise<SallyportError | undefined>
  /** Closes a connection at once, with everything on it. */
  readonly disconnect: (connection: Connection) => void
  readonly clock: Clock
  readonly log: Log
  /** Something was seen that an administrator should know of. */
  readonly duplicateStreams: { add(): void }
}
