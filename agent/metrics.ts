import { bundleSequences } from '../src/bundle/bundle-sequences.ts'
import type { Histogram, MetricRegistry } from '../src/metrics/registry.ts'
import type { Entitlements } from './entries/entitlements.ts'
import type { Node } from './node/node.ts'
import type { NodeStatus } from './node/node-status.ts'
import type { DecisionLog } from './policy/decision-log.ts'
import type { PolicyHolder } from './policy/policy-holder.ts'
import type { Callers } from './rpc/callers.ts'
import type { JwtSvidCache } from './svids/jwt-svid-cache.ts'
import type { WitSvidCache } from './svids/wit-svid-cache.ts'
import type { X509SvidCache } from './svids/x509-svid-cache.ts'
import type { TrustedClock } from './upstream/trusted-clock.ts'

/** What the agent counts as it happens. */
export interface AgentMetrics {
  readonly callSeconds: Histogram
  readonly signingSeconds: Histogram
}

export function agentMetrics(metrics: MetricRegistry): AgentMetrics {
  return {
    callSeconds: metrics.histogram(
      'sallyport_agent_call_seconds',
      'Calls of workloads and administrators by method and status',
    ),
    signingSeconds: metrics.histogram(
      'sallyport_agent_signing_seconds',
      'Batches of X509-SVIDs, from key to checked chain',
    ),
  }
}

/** What can be read at any moment. */
export function agentGauges(
  metrics: MetricRegistry,
  parts: {
    readonly entitlements: Entitlements
    readonly x509Svids: X509SvidCache
    readonly jwtSvids: JwtSvidCache
    readonly witSvids: WitSvidCache | undefined
    readonly policy: PolicyHolder
    readonly decisions: DecisionLog
    readonly status: NodeStatus
    readonly node: Node
    readonly callers: Callers
    readonly clock: TrustedClock
  },
): void {
  const { entitlements, x509Svids, jwtSvids, witSvids, policy, decisions, status, node, callers, clock } = parts
  const gauge = (name: string, help: string, read: () => number): void =>
    metrics.gauge(`sallyport_agent_${name}`, help, read)
  gauge('entries', 'Registration entries of this node', () => entitlements.entries.size)
  metrics.gauge('sallyport_agent_bundle_sequence', 'Sequence number of the bundle of each trust domain', () =>
    bundleSequences(entitlements.bundles.values()),
  )
  gauge('x509_svids', 'X509-SVIDs held for workloads', () => x509Svids.size)
  gauge('jwt_svids', 'JWT-SVIDs held for workloads', () => jwtSvids.size)
  if (witSvids !== undefined) gauge('wit_svids', 'WIT-SVIDs held for workloads', () => witSvids.size)
  gauge('open_streams', 'Workload streams that are open', () => entitlements.openStreams)
  gauge('held_callers', 'Workloads that wait for an entry', () => callers.held)
  gauge('undelivered_streams', 'Workload streams that a change is still on its way to', () => entitlements.undelivered)
  gauge(
    'policy_revision',
    'Revision of the policy that this agent holds; 0: there is none',
    () => policy.status.policyRevision,
  )
  gauge(
    'policy_age_seconds',
    'Seconds since the server last proved that this is the newest policy',
    () => policy.status.ageMs / 1000,
  )
  gauge('policy_stale', '1 while the server is not heard and the policy may be old', () =>
    policy.status.stale ? 1 : 0,
  )
  gauge('fast_lane_sequence', 'Newest entry of the fast lane', () => policy.state.fastLane.sequence)
  gauge('policy_streams', 'Workload streams that wait for policy', () => policy.openStreams)
  gauge('decision_batches_waiting', 'Batches of decisions that the server has not stored yet', () => decisions.spooled)
  gauge('in_sync', '1 while the agent holds what its server says', () => (status.isInSync ? 1 : 0))
  gauge('revision', 'Revision of what the agent holds', () => status.revision)
  gauge('svid_expiry_seconds', "Seconds until the agent's own SVID expires", () =>
    node.identity === undefined ? 0 : (node.identity.notAfter.getTime() - clock.now().getTime()) / 1000,
  )
  gauge('clock_skew_seconds', 'Wall clock of this machine minus time of the server', () => clock.skewMs / 1000)
}
