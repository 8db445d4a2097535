/** Where the agent stands with its server. */
export type NodeState =
  | 'starting'
  | 'attesting'
  | 'connecting'
  | 'in-sync'
  /** Nothing was heard for three heartbeats, or the connection failed. */
  | 'stale'
  | 'banned'
  /** The server does not know this agent any more, and it has no way to prove itself. */
  | 'refused'

/** What `status`, health checks and refusals say about the connection to the server. */
export class NodeStatus {
  state: NodeState = 'starting'
  reason = ''
  transport: '' | 'push' | 'poll' = ''
  lastHeartbeat: Date | undefined
  lastSync: Date | undefined
  revision = 0

  /** Does the agent know that what it holds is what the server says? */
  get isInSync(): boolean {
    return this.state === 'in-sync'
  }

  set(state: NodeState, reason = ''): void {
    this.state = state
    this.reason = reason
  }
}
