import { encodeMessage } from '../../src/wire/encode-message.ts'
import { decisionCounterType, type DecisionCounter } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { DecisionRecord } from '../../src/wire/messages/sallyport-sync-v1.ts'

/** What one user reported, its records in the chain. */
export interface ChainedReport {
  readonly uid: number
  readonly records: readonly DecisionRecord[]
  readonly counters: readonly DecisionCounter[]
}

/** What goes to the server in one call, and to disk in one file. */
export interface Batch {
  readonly records: DecisionRecord[]
  readonly counters: DecisionCounter[]
  bytes: number
  readonly bytesByUid: Map<number, number>
}

/** The server takes no more in one batch, and no larger message: a batch that it refuses would hold up all after it. */
const BATCH_MAX_RECORDS = 2000
const BATCH_MAX_COUNTERS = 5000
const BATCH_MAX_BYTES = 3 * 1024 * 1024

/** Tags, lengths and the sequence. */
const FRAME_BYTES = 32

/** Spreads reports over as few batches as the server takes, at least one; the order of records stays. */
export function cutBatches(reports: readonly ChainedReport[]): readonly Batch[] {
  let batch = emptyBatch()
  const batches = [batch]
  const roomFor = (bytes: number): Batch => {
    if (isFull(batch, bytes)) batches.push((batch = emptyBatch()))
    return batch
  }
  for (const { uid, records, counters } of reports) {
    for (const record of records) {
      const bytes = record.content.length + FRAME_BYTES
      count(roomFor(bytes), uid, bytes).records.push(record)
    }
    for (const counter of counters) {
      const bytes = encodeMessage(decisionCounterType, counter).length + FRAME_BYTES
      count(roomFor(bytes), uid, bytes).counters.push(counter)
    }
  }
  return batches
}

const emptyBatch = (): Batch => ({ records: [], counters: [], bytes: 0, bytesByUid: new Map() })

const isFull = ({ records, counters, bytes }: Batch, more: number): boolean =>
  records.length >= BATCH_MAX_RECORDS ||
  counters.length >= BATCH_MAX_COUNTERS ||
  (bytes > 0 && bytes + more > BATCH_MAX_BYTES)

function count(batch: Batch, uid: number, bytes: number): Batch {
  batch.bytes += bytes
  batch.bytesByUid.set(uid, (batch.bytesByUid.get(uid) ?? 0) + bytes)
  return batch
}
