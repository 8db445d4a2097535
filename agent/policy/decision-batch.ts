import * as z from 'zod'
import { SallyportError } from '../../src/errors.ts'
import { canonicalJson, type CanonicalValue } from '../../src/jws/canonical-json.ts'
import { parseJsonObject } from '../../src/jws/strict-json.ts'
import type { DecisionCounter, DecisionReport } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { DecisionRecord } from '../../src/wire/messages/sallyport-sync-v1.ts'
import { sha256 } from './signed-content.ts'

/** Who reports, as the kernel and the attestors say. */
export interface Reporter {
  readonly uid: number
  readonly pid: number
  /** SPIFFE IDs that it is entitled to. */
  readonly identities: ReadonlySet<string>
}

/** The workload that reports, told from others by its identities: its processes and users may be many. */
export const workloadOf = ({ identities }: Pick<Reporter, 'identities'>): string => [...identities].toSorted().join(' ')

/** Where an agent's chain of records stands. */
export interface ChainHead {
  /** Of the newest record; 0: there is none. */
  readonly sequence: number
  /** SHA-256 (hex) of its content; empty: there is none. */
  readonly previous: string
}

export const RECORDS_MAX = 1000
export const RECORD_MAX_BYTES = 16 * 1024
export const COUNTERS_MAX = 10_000
export const REPORTER_MAX_BYTES = 32
/** Of each text of a counter, in characters, as the server takes it. */
const COUNTER_TEXT_MAX = 2048

const end = z.looseObject({ id: z.string().max(2048).nullable() })
const decisionRecord = z.looseObject({
  v: z.literal(1),
  id: z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/),
  ts: z.iso.datetime(),
  decision: z.enum(['allow', 'deny']),
  pep: z.looseObject({ side: z.enum(['server', 'client']) }),
  src: end,
  dst: end,
})
/** A record as the workload wrote it. */
export type Reported = z.output<typeof decisionRecord>

/**
 * Reads what a workload reports. It speaks for its own identities: as the destination it served, or as the source that asked.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function readReport(report: DecisionReport, { identities }: Reporter): readonly Reported[] {
  const { records, counters } = report
  if (records.length > RECORDS_MAX) throw invalid(`more than ${RECORDS_MAX} records`)
  if (report.reporter.length > REPORTER_MAX_BYTES)
    throw invalid(`its reporter has more than ${REPORTER_MAX_BYTES} bytes`)
  if (counters.length > COUNTERS_MAX) throw invalid(`more than ${COUNTERS_MAX} counters`)
  if (counters.some((counter) => !identities.has(ownEndOf(counter))))
    throw invalid('a counter speaks for somebody else')
  if (!counters.every(isSound)) throw invalid('a counter cannot be read')
  return records.map((bytes) => {
    const record = readRecord(bytes)
    if (identities.has((record.pep.side === 'server' ? record.dst.id : record.src.id) ?? '')) return record
    throw invalid('a record speaks for somebody else')
  })
}

/** Links records into the agent's chain and says on whose word they rest. */
export function chainRecords(
  reported: readonly Reported[],
  head: ChainHead,
  { agentId, uid, pid }: { readonly agentId: string } & Pick<Reporter, 'uid' | 'pid'>,
): { readonly records: readonly DecisionRecord[]; readonly head: ChainHead } {
  let { sequence, previous } = head
  const records = reported.map((record) => {
    sequence++
    const pep = { ...record.pep, agent: agentId, uid, pid }
    const content = Buffer.from(canonicalJson({ ...record, pep, seq: sequence, prev: previous } as CanonicalValue))
    previous = sha256(content).toString('hex')
    return { sequence, content }
  })
  return { records, head: { sequence, previous } }
}

const ownEndOf = ({ side, source, destination }: DecisionCounter): string => (side === 'client' ? source : destination)

/** What the server would not take must not get into a batch, which others share. */
function isSound({ count, firstMs, lastMs, ...what }: DecisionCounter): boolean {
  const isShort = Object.values(what).every((value) => typeof value !== 'string' || value.length <= COUNTER_TEXT_MAX)
  // Larger numbers were rounded when they were read, and can be written no more.
  const isExact = [count, firstMs, lastMs, what.policyRevision].every(Number.isSafeInteger)
  return isExact && count >= 1 && firstMs >= 0 && lastMs >= firstMs && /^(allow|deny)$/.test(what.decision) && isShort
}

function readRecord(bytes: Buffer): Reported {
  let record: Reported
  let size = bytes.length
  try {
    if (size > RECORD_MAX_BYTES) throw new RangeError('too long to be read')
    // It has a limit of depth: what is nested without end can be read, and written by nobody.
    record = decisionRecord.parse(parseJsonObject(bytes, 'a record'))
    // `1e20` is longer as it is kept, and `1e999` is no number at all.
    size = Buffer.byteLength(canonicalJson(record as CanonicalValue))
  } catch {
    if (size > RECORD_MAX_BYTES) throw tooLong()
    // Without the cause: what a workload wrote into a record stays out of the log.
    throw invalid('a record cannot be read')
  }
  if (size > RECORD_MAX_BYTES) throw tooLong()
  return record
}

const tooLong = (): SallyportError => invalid(`a record has more than ${RECORD_MAX_BYTES} bytes`)

const invalid = (why: string): SallyportError => new SallyportError('REQUEST_INVALID', `Cannot take decisions: ${why}`)
