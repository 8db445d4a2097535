import type {
  DecisionBatchRow,
  DecisionRoom,
  ReportedCounter,
  ReportedRecord,
} from '../../server/store/decision-rows.ts'
import type { FastLaneRow, PolicyRevisionRow, PolicyStateRow, QuarantineRow } from '../../server/store/policy-rows.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'

/** An empty policy; every field can be said otherwise. */
export function aPolicySet(fields: Partial<PolicySet> = {}): PolicySet {
  return {
    ...{ name: 'test', trustDomain: 'example.org', owner: 'group:platform' },
    settings: {
      pathProfile: 'strict',
      connection: { maxAgeMs: 3_600_000, drainMs: 5_000 },
      bundle: { maxStaleMs: 600_000, hardStaleMs: undefined, onHardStale: 'deny' },
      x509TtlMs: {},
    },
    ...{ federation: [], zones: [], services: [], conduits: [], guards: [], rules: [], grantTemplates: [] },
    ...{ breakGlass: [], tests: [], invariants: [] },
    ...fields,
  }
}

export const aPolicyRow = (revision: number, fields: Partial<PolicyRevisionRow> = {}): PolicyRevisionRow => ({
  ...{ revision, epoch: 1, digest: 'ab'.repeat(32), source: 'kind: PolicySet', policy: plainPolicy() },
  ...{ appliedBy: 'local:uid:0', appliedAtMs: 1, note: '', rolledBackTo: 0, secondSignatures: [] },
  ...fields,
})

// As it is after a walk through JSON: fields without a value are not there.
const plainPolicy = (): PolicySet => JSON.parse(JSON.stringify(aPolicySet())) as PolicySet

export const aPolicyState = (fields: Partial<PolicyStateRow> = {}): PolicyStateRow => ({
  ...{ revisionNumber: 0, epoch: 1, storeEpoch: 'memory', keysVersion: 1, keys: [] },
  signedKeys: { content: '{}', signatures: [] },
  ...fields,
})

export const aFastLaneRow = (sequence: number, atMs = 0): FastLaneRow => ({
  ...{ sequence, atMs, content: `{"sequence":${sequence}}` },
  signatures: [{ keyId: 'aa', signature: 'c2ln' }],
})

export const aQuarantineRow = (id: string, fields: Partial<QuarantineRow> = {}): QuarantineRow => ({
  ...{ kind: 'quarantine', id, revisionNumber: 0, reason: 'stolen key', by: 'local:uid:0', sinceMs: 1 },
  ...{ target: { kind: 'identity', id: 'spiffe://example.org/a' }, identities: ['spiffe://example.org/a'] },
  ...{ forensics: [], proposed: false },
  ...fields,
})

const facts = {
  ...{ decision: 'deny', wouldDeny: false, deniedBy: 'movement', code: 'NO_CONDUIT' },
  ...{ source: 'spiffe://example.org/a', sourceZone: 'edge', service: 'orders', destinationZone: 'shop' },
}

export const aDecision = (sequence: number, fields: Partial<ReportedRecord> = {}): ReportedRecord => ({
  ...{
    ...facts,
    workload: 'spiffe://example.org/orders',
    id: `d${sequence}`,
    sequence,
    atMs: sequence,
    content: `{"seq":${sequence}}`,
  },
  ...fields,
})

export const aCounter = (key: string, fields: Partial<ReportedCounter> = {}): ReportedCounter => ({
  ...{ ...facts, workload: 'spiffe://example.org/orders', day: 1, key, count: 1, firstMs: 10, lastMs: 20 },
  ...fields,
})

export const aBatch = (batch: number, fields: Partial<DecisionBatchRow> = {}): DecisionBatchRow => ({
  ...{ agent: 'spiffe://example.org/spire/agent/1', logId: 'log', batch, receivedMs: batch, records: [], counters: [] },
  ...{ droppedRecords: 0, droppedCounters: 0 },
  ...fields,
})

/** Room for whatever tests store of decisions. */
export const roomy: DecisionRoom = {
  maxRecords: 1_000_000,
  maxCounters: 1_000_000,
  maxBytes: 2 ** 40,
  maxBytesPerAgent: 2 ** 40,
}
