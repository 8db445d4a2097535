import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { DecisionReport } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { DecisionBatch } from '../../src/wire/messages/sallyport-sync-v1.ts'
import { Wake } from '../entries/wake.ts'
import { grpcStatusOf } from '../upstream/refusal.ts'
import { backoffMs, type Random } from '../upstream/timing.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { cutBatches, type Batch, type ChainedReport } from './cut-batches.ts'
import { chainRecords, readReport, type ChainHead, type Reported, type Reporter } from './decision-batch.ts'
import { TakenReports } from './taken-reports.ts'
import type { DecisionSpool, SpooledBatch } from './decision-spool.ts'
import { sha256 } from './signed-content.ts'

export interface DecisionLogDeps {
  readonly spool: DecisionSpool
  readonly upstream: Pick<Upstream, 'reportDecisions'>
  /** Undefined until the agent has joined. */
  readonly agentId: () => string | undefined
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Of all that waits for the server; what is over it waits in the workloads, whose buffers say what they drop. */
  readonly spoolMaxBytes: number
}

/** What came in while the last batch was written: it becomes the next one. */
interface Gathering {
  readonly parts: {
    readonly report: DecisionReport
    readonly reported: readonly Reported[]
    readonly reporter: Reporter
  }[]
  readonly written: PromiseWithResolvers<void>
}

const LOG_ID_BYTES = 16
const RETRY_FIRST_MS = 1000
const RETRY_MOST_MS = 60_000
/** One user may fill this part of the spool; the rest is for the others. */
const SHARE_OF_ONE_USER = 0.5

/**
 * Takes what enforcing workloads decided, chains it, keeps it on disk until the server has stored it. A receipt means that it is
 * durable here.
 *
 * @see zones.md §3.16
 */
export class DecisionLog {
  readonly #deps: DecisionLogDeps
  #logId = ''
  #head: ChainHead = { sequence: 0, previous: '' }
  #nextBatch = 1
  #nextFile = 1
  #waiting: SpooledBatch[] = []
  /** The newest file is kept after the server has stored it. */
  #storedThrough = 0
  readonly #bytesByUid = new Map<number, number>()
  readonly #uidsOf = new Map<number, ReadonlyMap<number, number>>()
  #gathering: Gathering | undefined
  #writing: Promise<void> = Promise.resolve()
  readonly #room = new Set<() => void>()
  readonly #arrived = new Wake()
  readonly #taken = new TakenReports()

  constructor(deps: DecisionLogDeps) {
    this.#deps = deps
  }

  /**
   * Takes up the chain where it was, in another log: a disk from an old image would count its batches from numbers that the
   * server has stored, and what it took for a repetition would be lost.
   */
  async restore(): Promise<void> {
    const { spool, random, log } = this.#deps
    this.#logId = random(LOG_ID_BYTES).toString('hex')
    this.#waiting = [...(await spool.open())]
    const newest = this.#waiting.at(-1)
    const last = newest === undefined ? undefined : await spool.read(newest.file)
    this.#nextFile = (newest?.file ?? 0) + 1
    if (last !== undefined) this.#head = last.head
    else if (newest !== undefined) log.error({}, 'The newest saved decisions are damaged; another chain of them begins')
  }

  /** Batches that the server has not stored yet. */
  get spooled(): number {
    return this.#unsent().length
  }

  /**
   * Resolves when the report is durable. Waits while the spool is full.
   *
   * @throws {@link SallyportError} `REQUEST_INVALID`, `NOT_READY` before the agent has joined
   */
  async take(report: DecisionReport, reporter: Reporter, signal: AbortSignal): Promise<void> {
    const reported = readReport(report, reporter)
    this.#checkJoined()
    // Its receipt was lost: counts are exact, so it is not taken twice.
    if (this.#taken.has(report, reporter)) return
    await this.#roomFor(reporter.uid, signal)
    const { parts, written } = this.#gather()
    parts.push({ report, reported, reporter })
    await written.promise
    this.#taken.note(report, reporter)
  }

  /** Sends what waits to the server, oldest first, until the signal aborts. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock, random, log } = this.#deps
    for (let failures = 0; ;) {
      try {
        for (const next of this.#unsent()) await this.#send(next, signal)
        failures = 0
        await this.#arrived.wait(signal)
      } catch (error) {
        signal.throwIfAborted()
        failures++
        log.debug({ err: error, failures }, 'Decisions could not be reported yet')
        await clock.sleep(backoffMs(failures, RETRY_FIRST_MS, RETRY_MOST_MS, random), signal)
      }
    }
  }

  #unsent(): SpooledBatch[] {
    return this.#waiting.filter(({ file }) => file > this.#storedThrough)
  }

  #checkJoined(): string {
    const agentId = this.#deps.agentId()
    if (agentId !== undefined) return agentId
    throw new SallyportError('NOT_READY', 'Cannot take decisions: this agent has not joined')
  }

  async #send({ file }: SpooledBatch, signal: AbortSignal): Promise<void> {
    const { spool, upstream, log } = this.#deps
    const saved = await spool.read(file)
    if (saved === undefined) log.error({}, 'Saved decisions are damaged; the server will miss them in the chain')
    else {
      try {
        await upstream.reportDecisions(saved.message, signal)
      } catch (error) {
        if (grpcStatusOf(error) !== 'INVALID_ARGUMENT') throw error
        // It would be refused again, and nothing after it would ever be sent.
        log.error({ err: error }, 'The server refused decisions; it will miss them in the chain')
      }
    }
    this.#storedThrough = file
    this.#makeRoom(file)
    for (const done of this.#waiting.slice(0, -1).filter((one) => one.file <= file)) {
      await spool.remove(done.file)
      this.#waiting = this.#waiting.filter((one) => one !== done)
    }
  }

  /** The newest file stays, but takes nobody's room. */
  #makeRoom(file: number): void {
    for (const [uid, bytes] of this.#uidsOf.get(file) ?? []) {
      const left = (this.#bytesByUid.get(uid) ?? 0) - bytes
      if (left > 0) this.#bytesByUid.set(uid, left)
      else this.#bytesByUid.delete(uid)
    }
    this.#uidsOf.delete(file)
    for (const tell of this.#room) tell()
  }

  #gather(): Gathering {
    if (this.#gathering !== undefined) return this.#gathering
    this.#gathering = { parts: [], written: Promise.withResolvers<void>() }
    this.#writing = this.#writing.then(() => this.#write())
    return this.#gathering
  }

  /** Writes what has gathered while the last write ran: many reports, few syncs of the disk. A failed write moves nothing on. */
  async #write(): Promise<void> {
    const gathering = this.#gathering
    if (gathering === undefined) return
    this.#gathering = undefined
    const { parts, written } = gathering
    try {
      const dropped = droppedIn(parts)
      for (const [index, batch] of cutBatches(this.#chained(parts)).entries()) {
        await this.#writeBatch(batch, index === 0 ? dropped : NONE_DROPPED)
      }
      written.resolve()
    } catch (error) {
      this.#deps.log.error({ err: error }, 'Decisions could not be saved')
      written.reject(error)
    } finally {
      this.#arrived.ring()
    }
  }

  async #writeBatch({ records, counters, bytesByUid }: Batch, dropped: Dropped): Promise<void> {
    const file = this.#nextFile
    const last = records.at(-1)
    const head = last && { sequence: last.sequence, previous: sha256(last.content).toString('hex') }
    const batch: DecisionBatch = { logId: this.#logId, batch: this.#nextBatch, records, counters, ...dropped }
    const spooled = await this.#deps.spool.write(file, batch, head ?? this.#head)
    // Taken up after the write: what was sent meanwhile has left another list.
    this.#waiting = [...this.#waiting, spooled]
    this.#head = head ?? this.#head
    this.#nextBatch++
    this.#nextFile++
    this.#uidsOf.set(file, bytesByUid)
    for (const [uid, bytes] of bytesByUid) this.#bytesByUid.set(uid, (this.#bytesByUid.get(uid) ?? 0) + bytes)
  }

  #chained(parts: Gathering['parts']): readonly ChainedReport[] {
    const agentId = this.#checkJoined()
    let head = this.#head
    return parts.map(({ report: { counters }, reported, reporter: { uid, pid } }) => {
      const linked = chainRecords(reported, head, { agentId, uid, pid })
      head = linked.head
      return { uid, records: linked.records, counters }
    })
  }

  async #roomFor(uid: number, signal: AbortSignal): Promise<void> {
    while (this.#isFull(uid)) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const abort = (): void => reject(signal.reason as Error)
      this.#room.add(resolve)
      signal.addEventListener('abort', abort, { once: true })
      try {
        await promise
      } finally {
        this.#room.delete(resolve)
        signal.removeEventListener('abort', abort)
      }
    }
  }

  #isFull(uid: number): boolean {
    const { spoolMaxBytes } = this.#deps
    const all = this.#unsent().reduce((sum, { bytes }) => sum + bytes, 0)
    return all >= spoolMaxBytes || (this.#bytesByUid.get(uid) ?? 0) >= spoolMaxBytes * SHARE_OF_ONE_USER
  }
}

type Dropped = Pick<DecisionBatch, 'droppedRecords' | 'droppedCounters'>

const NONE_DROPPED: Dropped = { droppedRecords: 0, droppedCounters: 0 }

/** A workload that says a negative number would hide what others dropped; one that says too large a number, be in the way of all. */
function droppedIn(parts: Gathering['parts']): Dropped {
  const sum = (of: (report: DecisionReport) => number): number =>
    parts.reduce((all, { report }) => Math.min(all + Math.max(0, of(report)), Number.MAX_SAFE_INTEGER), 0)
  return {
    droppedRecords: sum(({ droppedRecords }) => droppedRecords),
    droppedCounters: sum(({ droppedCounters }) => droppedCounters),
  }
}
