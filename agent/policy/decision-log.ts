import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { DecisionReport } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { DecisionBatch } from '../../src/wire/messages/sallyport-sync-v1.ts'
import { Wake } from '../entries/wake.ts'
import { grpcStatusOf } from '../upstream/refusal.ts'
import { backoffMs, type Random } from '../upstream/timing.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { cutBatches, sizeOfReport, type Batch, type ChainedReport } from './cut-batches.ts'
import { chainRecords, readReport, workloadOf, type ChainHead, type Reported, type Reporter } from './decision-batch.ts'
import { TakenReports } from './taken-reports.ts'
import type { DecisionSpool } from './decision-spool.ts'
import { sha256 } from './signed-content.ts'
import { SpoolShares } from './spool-shares.ts'

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
  /** Files that the server has not stored yet, oldest first. */
  readonly #unsent = new Set<number>()
  /** Files that it has stored and that are still here: the newest of all is kept. */
  readonly #stored: number[] = []
  readonly #shares: SpoolShares
  #gathering: Gathering | undefined
  #writing: Promise<void> = Promise.resolve()
  readonly #arrived = new Wake()
  readonly #taken = new TakenReports()

  constructor(deps: DecisionLogDeps) {
    this.#deps = deps
    this.#shares = new SpoolShares(deps.spoolMaxBytes)
  }

  /**
   * Takes up the chain where it was, in another log: a disk from an old image would count its batches from numbers that the
   * server has stored, and what it took for a repetition would be lost.
   */
  async restore(): Promise<void> {
    const { spool, random, log } = this.#deps
    this.#logId = random(LOG_ID_BYTES).toString('hex')
    const saved = await spool.open()
    for (const { file, bytes } of saved) {
      this.#unsent.add(file)
      this.#shares.hold(file, bytes, new Map())
    }
    const newest = saved.at(-1)
    const last = newest === undefined ? undefined : await spool.read(newest.file)
    this.#nextFile = (newest?.file ?? 0) + 1
    if (last !== undefined) this.#head = last.head
    else if (newest !== undefined) log.error({}, 'The newest saved decisions are damaged; another chain of them begins')
  }

  /** Batches that the server has not stored yet. */
  get spooled(): number {
    return this.#unsent.size
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
    // Held from now on, so that many at once are not more than one after the other.
    using _reserved = await this.#shares.reserve(workloadOf(reporter), sizeOfReport(report), signal)
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
        for (const file of this.#unsent) await this.#send(file, signal)
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

  #checkJoined(): string {
    const agentId = this.#deps.agentId()
    if (agentId !== undefined) return agentId
    throw new SallyportError('NOT_READY', 'Cannot take decisions: this agent has not joined')
  }

  async #send(file: number, signal: AbortSignal): Promise<void> {
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
    this.#unsent.delete(file)
    this.#stored.push(file)
    this.#shares.release(file)
    // The newest file stays, but takes nobody's room.
    const kept = this.#unsent.size > 0 ? 0 : 1
    for (let oldest = this.#stored[0]; oldest !== undefined && this.#stored.length > kept; oldest = this.#stored[0]) {
      await spool.remove(oldest)
      this.#stored.shift()
    }
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

  async #writeBatch({ records, counters, bytes, bytesOf }: Batch, dropped: Dropped): Promise<void> {
    const file = this.#nextFile
    const last = records.at(-1)
    const head = last && { sequence: last.sequence, previous: sha256(last.content).toString('hex') }
    const batch: DecisionBatch = { logId: this.#logId, batch: this.#nextBatch, records, counters, ...dropped }
    await this.#deps.spool.write(file, batch, head ?? this.#head)
    this.#unsent.add(file)
    this.#shares.hold(file, bytes, bytesOf)
    this.#head = head ?? this.#head
    this.#nextBatch++
    this.#nextFile++
  }

  #chained(parts: Gathering['parts']): readonly ChainedReport[] {
    const agentId = this.#checkJoined()
    let head = this.#head
    return parts.map(({ report: { counters }, reported, reporter }) => {
      const { uid, pid } = reporter
      const linked = chainRecords(reported, head, { agentId, uid, pid })
      head = linked.head
      return { workload: workloadOf(reporter), records: linked.records, counters }
    })
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
