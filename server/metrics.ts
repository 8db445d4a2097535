import { bundleSequences } from '../src/bundle/bundle-sequences.ts'
import {
  LATENCY_BUCKETS,
  type Counter,
  type Histogram,
  type Labels,
  type MetricRegistry,
} from '../src/metrics/registry.ts'
import type { Authorities } from './authority/authorities.ts'
import type { Directory } from './entries/directory.ts'
import type { PolicyBook } from './policy/policy-book.ts'
import type { DecisionCounts } from './store/decision-rows.ts'
import type { Store } from './store/store.ts'
import type { Followers } from './sync/followers.ts'

/** What the parts of the server count; gauges are read when somebody asks. */
export interface ServerMetrics {
  readonly callSeconds: Histogram
  readonly refusedCalls: Counter
  readonly duplicateStreams: Counter
  readonly issued: Counter
  readonly notIssued: Counter
  readonly slicesSigned: Counter
  readonly decisionsStored: Counter
}

export function serverMetrics(metrics: MetricRegistry): ServerMetrics {
  return {
    callSeconds: metrics.histogram('sallyport_server_call_seconds', 'Calls by method and status', LATENCY_BUCKETS),
    refusedCalls: metrics.counter('sallyport_server_refused_calls_total', 'Calls refused, by code'),
    issued: metrics.counter('sallyport_server_issued_total', 'SVIDs released, by kind'),
    notIssued: metrics.counter('sallyport_server_not_issued_total', 'Orders for SVIDs that were refused, by kind'),
    slicesSigned: metrics.counter('sallyport_server_slices_signed_total', 'Policy slices signed for agents'),
    decisionsStored: metrics.counter('sallyport_server_decisions_stored_total', 'Decision records taken from agents'),
    duplicateStreams: metrics.counter(
      'sallyport_server_duplicate_streams_total',
      'Times that one agent identity was on two streams',
    ),
  }
}

export function serverGauges(
  metrics: MetricRegistry,
  parts: {
    readonly directory: Directory
    readonly followers: Followers
    readonly authorities: Pick<Authorities, 'status'>
    readonly store: Store
    readonly connections: () => number
    readonly book: Pick<PolicyBook, 'policyRevision' | 'fastLaneSequence' | 'lifecycle'>
    readonly decisions: () => DecisionCounts
  },
): void {
  const { directory, followers, authorities, store, book } = parts
  metrics.gauge('sallyport_server_policy_revision', 'Revision of the policy; 0: none', () => book.policyRevision)
  metrics.gauge('sallyport_server_fast_lane_sequence', 'Newest entry of the fast lane', () => book.fastLaneSequence)
  metrics.gauge('sallyport_server_quarantines', 'Quarantines in force', () => book.lifecycle.quarantines.length)
  metrics.gauge('sallyport_server_entries', 'Registration entries', () => directory.entryCount)
  metrics.gauge('sallyport_server_agents', 'Agents that have joined', () => directory.agentCount)
  metrics.gauge('sallyport_server_bundles', 'Bundles, the own one included', () => directory.bundleCount)
  metrics.gauge('sallyport_server_bundle_sequence', 'Sequence number of the bundle of each trust domain', () =>
    bundleSequences(directory.bundles()),
  )
  metrics.gauge('sallyport_server_connected_agents', 'Agents with an open push stream', () => followers.connectedCount)
  metrics.gauge('sallyport_server_revision', 'Revision that answers are given at', () => directory.revision)
  metrics.gauge(
    'sallyport_server_revision_lag',
    'Revisions that the slowest connected agent is behind',
    () => followers.lag,
  )
  const { decisions } = parts
  metrics.gauge('sallyport_server_decision_records', 'Decision records stored', () => decisions().records)
  metrics.gauge('sallyport_server_decision_counters', 'Decision counters stored', () => decisions().counters)
  metrics.readCounter(
    'sallyport_server_decision_records_dropped_total',
    'Decision records that workloads had no room for, or that went here to make room, since the database began',
    () => decisions().droppedRecords,
  )
  metrics.readCounter(
    'sallyport_server_decisions_uncounted_total',
    'Decisions whose counters workloads had no room for, or went here to make room, since the database began',
    () => decisions().droppedCounters,
  )
  metrics.gauge('sallyport_server_connections', 'Open connections', parts.connections)
  metrics.gauge(
    'sallyport_server_audit_records',
    'Sequence of the newest audit record',
    () => store.auditHead().sequence,
  )
  metrics.gauge(
    'sallyport_server_authority_expiry_seconds',
    'When the first authority of a kind and state ends, in Unix time',
    () => firstEnds(authorities.status()),
  )
}

/** One sample for each kind and state, of which there may be several authorities: the earliest end. */
function firstEnds(all: ReturnType<Authorities['status']>): readonly (readonly [Labels, number])[] {
  const present = all.filter(({ state }) => state !== 'removed')
  const groups = Map.groupBy(present, ({ kind, state }) => `${kind} ${state}`)
  return [...groups.values()].map((same) => {
    const { kind, state } = same[0]!
    return [{ kind, state }, Math.min(...same.map(({ notAfter }) => notAfter.getTime())) / 1000]
  })
}
