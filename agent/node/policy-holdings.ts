import type { HeldPolicy, PolicyAck } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { PushedPolicy } from '../upstream/policy-messages.ts'
import type { VerifiedHeartbeat } from '../upstream/heartbeats.ts'

/** Where the node puts what the server says of policy. Kept by the room above this one. */
export interface PolicyHoldings {
  /** What to say in a hello. */
  readonly held: HeldPolicy
  /**
   * Takes what the server pushed. What may not be believed changes nothing and is named in the next acknowledgement.
   *
   * @returns whether it was believed
   * @throws {@link SallyportError} `SYNC_MISMATCH` when something is missing in between: a new stream brings it
   */
  apply(pushed: PushedPolicy): Promise<boolean>
  /**
   * Takes what a heartbeat proves: this agent holds the newest policy.
   *
   * @throws {@link SallyportError} `SYNC_MISMATCH` when the fast lane is further than what was pushed
   */
  observe(heartbeat: VerifiedHeartbeat): void
  /** Resolves once everything applied so far is saved and handed to every workload stream. */
  settle(): Promise<PolicyAck>
  /** The agent is another one than before: what it had pinned was for that one. */
  forget(): Promise<void>
}
