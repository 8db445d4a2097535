import { encodeMessage } from '../../src/wire/encode-message.ts'
import {
  decisionCounterType,
  type DecisionCounter,
  type DecisionReport,
} from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { DecisionRecord } from '../../src/wire/messages/sallyport-sync-v1.ts'

/** What one workload reported, its records in the chain. */
export interface ChainedReport {
  readonly workload: string
  readonly records: readonly DecisionRecord[]
  readonly counters: readonly DecisionCounter[]
}

/** What goes to the server in one call, and to disk in one file. */
export interface Batch {
  readonly records: DecisionRecord[]
  readonly counters: DecisionCounter[]
  bytes: number
  readonly bytesOf: Map<string, number>
}

/** The server takes no more in one batch, and no larger message: a batch that it refuses would hold up all after it. */
const BATCH_MAX_RECORDS = 2000
const BATCH_MAX_COUNTERS = 5000
const BATCH_MAX_BYTES = 3 * 1024 * 1024

/** Tags, lengths and the sequence. */
const FRAME_BYTES = 32
/** What a report takes that says nothing: it may be alone in its file. */
const REPORT_BYTES = 512

/** About how many bytes a report takes. */
export const sizeOfReport = ({ records, counters }: Pick<DecisionReport, 'records' | 'counters'>): number =>
  REPORT_BYTES +
  records.reduce((sum, { length }) => sum + length + FRAME_BYTES, 0) +
  counters.reduce((sum, counter) => sum + sizeOfCounter(counter), 0)

const sizeOfCounter = (counter: DecisionCounter): number =>
  encodeMessage(decisionCounterType, counter).length + FRAME_BYTES

/** Spreads reports over as few batches as the server takes, at least one; the order of records stays. */
export function cutBatches(reports: readonly ChainedReport[]): readonly Batch[] {
  let batch = emptyBatch()
  const batches = [batch]
  const roomFor = (bytes: number): Batch => {
    if (isFull(batch, bytes)) batches.push((batch = emptyBatch()))
    return batch
  }
  for (const { workload, records, counters } of reports) {
    count(roomFor(REPORT_BYTES), workload, REPORT_BYTES)
    for (const record of records) {
      const bytes = record.content.length + FRAME_BYTES
      count(roomFor(bytes), workload, bytes).records.push(record)
    }
    for (const counter of counters) {
      const bytes = sizeOfCounter(counter)
      count(roomFor(bytes), workload, bytes).counters.push(counter)
    }
  }
  return batches
}

const emptyBatch = (): Batch => ({ records: [], counters: [], bytes: 0, bytesOf: new Map() })

const isFull = ({ records, counters, bytes }: Batch, more: number): boolean =>
  records.length >= BATCH_MAX_RECORDS ||
  counters.length >= BATCH_MAX_COUNTERS ||
  (bytes > 0 && bytes + more > BATCH_MAX_BYTES)

function count(batch: Batch, workload: string, bytes: number): Batch {
  batch.bytes += bytes
  batch.bytesOf.set(workload, (batch.bytesOf.get(workload) ?? 0) + bytes)
  return batch
}
