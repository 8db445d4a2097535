import { SallyportError } from '../../src/errors.ts'
import type { DecisionCounter } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { DecisionBatch, DecisionBatchReceipt, DecisionRecord } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { canonicalJson } from '../../src/jws/canonical-json.ts'
import { COUNT_MAX, type ReportedCounter, type ReportedRecord } from '../store/decision-rows.ts'
import type { SyncDeps } from './sync-deps.ts'

/** How much one batch may hold; an agent splits what is more. */
export const BATCH_MAX_RECORDS = 2_000
export const BATCH_MAX_COUNTERS = 5_000
/** What a workload wrote, at most 16 KiB, and what the agent adds: its id, the user and the link of the chain. */
export const RECORD_MAX_BYTES = 20 * 1024
const TEXT_MAX = 2_048
const LOG_ID_MAX = 64
const DAY_MS = 86_400_000

/**
 * Takes what an agent reports of decisions; it is durable when this resolves. A batch that comes again is acknowledged again.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export async function reportDecisions(
  batch: DecisionBatch,
  agentId: string,
  {
    store,
    clock,
    decisionRoom,
    decisionsStored,
    decisionsHeld,
  }: Pick<SyncDeps, 'store' | 'clock' | 'decisionRoom' | 'decisionsStored' | 'decisionsHeld'>,
): Promise<Sent<DecisionBatchReceipt>> {
  const { logId } = batch
  if (!/^[A-Za-z0-9._-]+$/.test(logId) || logId.length > LOG_ID_MAX) throw invalid('log_id is not a name')
  if (batch.batch < 1 || !Number.isSafeInteger(batch.batch)) throw invalid('batches are counted from 1')
  if (batch.records.length > BATCH_MAX_RECORDS) throw invalid(`more than ${BATCH_MAX_RECORDS} records`)
  if (batch.counters.length > BATCH_MAX_COUNTERS) throw invalid(`more than ${BATCH_MAX_COUNTERS} counters`)
  const receivedMs = clock.now().getTime()
  const records = batch.records.map(recordOf)
  await store.commit({
    mutations: [
      {
        kind: 'decisions.add',
        room: decisionRoom,
        batch: {
          ...{ agent: agentId, logId, batch: batch.batch, receivedMs },
          ...{ records, counters: batch.counters.map((counter) => counterOf(counter, receivedMs)) },
          droppedRecords: countOf(batch.droppedRecords),
          droppedCounters: countOf(batch.droppedCounters),
        },
      },
    ],
    audit: [],
  })
  decisionsStored?.add({}, records.length)
  decisionsHeld?.(await store.decisionCounts())
  return { logId, batch: batch.batch, sequence: records.at(-1)?.sequence ?? 0 }
}

/** As zones.md §3.16 writes them, as far as the server looks into them. */
interface RecordFields {
  readonly id?: unknown
  readonly ts?: unknown
  readonly seq?: unknown
  readonly decision?: unknown
  readonly wouldDeny?: unknown
  readonly deniedBy?: unknown
  readonly code?: unknown
  readonly pep?: { readonly side?: unknown } | null
  readonly src?: { readonly id?: unknown; readonly zone?: unknown } | null
  readonly dst?: { readonly id?: unknown; readonly service?: unknown; readonly zone?: unknown } | null
}

function recordOf({ sequence, content }: DecisionRecord): ReportedRecord {
  if (content.length > RECORD_MAX_BYTES) throw invalid(`record ${sequence} is longer than ${RECORD_MAX_BYTES} bytes`)
  const text = content.toString('utf8')
  const fields = fieldsOf(text, sequence)
  const atMs = typeof fields.ts === 'string' ? Date.parse(fields.ts) : Number.NaN
  const { decision } = fields
  if (typeof fields.id !== 'string' || fields.id.length > LOG_ID_MAX) throw invalid(`record ${sequence} has no id`)
  if (!Number.isFinite(atMs)) throw invalid(`record ${sequence} has no time`)
  if (fields.seq !== sequence || sequence < 1 || !Number.isSafeInteger(sequence))
    throw invalid(`record ${sequence} says another sequence`)
  if (decision !== 'allow' && decision !== 'deny') throw invalid(`record ${sequence} says no decision`)
  return {
    ...{ id: fields.id, sequence, atMs, content: text, decision },
    ...{ wouldDeny: fields.wouldDeny === true, deniedBy: textOf(fields.deniedBy), code: textOf(fields.code) },
    ...{ source: textOf(fields.src?.id), sourceZone: textOf(fields.src?.zone) },
    ...{ service: textOf(fields.dst?.service), destinationZone: textOf(fields.dst?.zone) },
    workload: textOf((fields.pep?.side === 'client' ? fields.src : fields.dst)?.id),
  }
}

function fieldsOf(text: string, sequence: number): RecordFields {
  try {
    const fields = JSON.parse(text) as RecordFields | null
    if (typeof fields === 'object' && fields !== null) return fields
  } catch {
    // Said below: the text itself may not go into a message.
  }
  throw invalid(`record ${sequence} is no JSON object`)
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value.slice(0, TEXT_MAX) : '')

/** Nothing was counted later than it came: a day to come would stand longer than any other. */
function counterOf({ count, ...told }: DecisionCounter, receivedMs: number): ReportedCounter {
  const { firstMs: first, lastMs: last, ...what } = told
  if (!(count >= 1) || !(first >= 0) || last < first) throw invalid('a counter has no count or no span')
  // One that was rounded when it was read would be in the way of whoever reads all of them.
  if (![count, first, last, what.policyRevision].every(Number.isSafeInteger)) throw invalid('a counter is too large')
  const [firstMs, lastMs] = [Math.min(first, receivedMs), Math.min(last, receivedMs)]
  if (what.decision !== 'allow' && what.decision !== 'deny') throw invalid('a counter says no decision')
  const tooLong = Object.values(what).some((value) => typeof value === 'string' && value.length > TEXT_MAX)
  if (tooLong) throw invalid('a counter has a text that is too long')
  return {
    ...{ day: Math.floor(firstMs / DAY_MS), key: canonicalJson({ ...what }), count, firstMs, lastMs },
    ...{ decision: what.decision, wouldDeny: what.wouldDeny, deniedBy: what.deniedBy, code: what.code },
    ...{ source: what.source, sourceZone: what.sourceZone },
    ...{ service: what.service, destinationZone: what.destinationZone },
    workload: what.side === 'client' ? what.source : what.destination,
  }
}

const countOf = (told: number): number => Math.min(Math.max(0, told), COUNT_MAX)

const invalid = (why: string): SallyportError => new SallyportError('REQUEST_INVALID', `Cannot take decisions: ${why}`)
