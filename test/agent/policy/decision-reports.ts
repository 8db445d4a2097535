import type { DecisionCounter, DecisionReport } from '../../../src/wire/messages/sallyport-policy-v1.ts'

let count = 0

/** A record as an enforcing workload writes it. */
export function aRecord(fields: object = {}): Buffer {
  const record = {
    v: 1,
    id: `01JD4Z8Q6T3M8N0W7K2V5C${String(++count).padStart(4, '0')}`,
    ts: '2026-11-20T12:00:00.123Z',
    decision: 'deny',
    pep: { kind: 'sdk', side: 'server', service: 'web' },
    src: { id: 'spiffe://example.org/other' },
    dst: { id: 'spiffe://example.org/web' },
  }
  return Buffer.from(JSON.stringify({ ...record, ...fields }))
}

export function aCounter(fields: Partial<DecisionCounter> = {}): DecisionCounter {
  return {
    ...{ source: 'spiffe://example.org/other', sourceZone: 'edge', service: 'web', side: 'server' },
    ...{ destination: 'spiffe://example.org/web', destinationZone: 'shop', action: 'read' },
    ...{ movementBy: 'conduit:c', accessBy: 'rule:r', decision: 'allow', wouldDeny: false, deniedBy: '', code: '' },
    ...{ policyRevision: 1, count: 3, firstMs: 1, lastMs: 2, port: 8443, protocol: 'http', route: '/x' },
    ...fields,
  }
}

export const aReport = (fields: Partial<DecisionReport> = {}): DecisionReport => ({
  ...{ batch: 1, reporter: Buffer.alloc(0), records: [], counters: [], droppedRecords: 0, droppedCounters: 0 },
  ...fields,
})
