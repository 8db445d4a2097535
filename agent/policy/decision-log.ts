import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { DecisionReport } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { DecisionBatch } from '../../src/wire/messages/sallyport-sync-v1.ts'
import { Wake } from '../entries/wake.ts'
import { backoffMs, type Random } from '../upstream/timing.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { chainRecords, readReport, type ChainHead, type Reported, type Reporter } from './decision-batch.ts'
import type { DecisionSpool, SpooledBatch } from './decision-spool.ts'

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

  constructor(deps: DecisionLogDeps) {
    this.#deps = deps
  }

  /** Takes up the chain where it was. */
  async restore(): Promise<void> {
    const { spool, random, log } = this.#deps
    this.#waiting = [...(await spool.open())]
    const newest = this.#waiting.at(-1)
    const last = newest === undefined ? undefined : await spool.read(newest.file)
    this.#nextFile = (newest?.file ?? 0) + 1
    if (last === undefined) {
      if (newest !== undefined) log.error({}, 'The newest saved decisions are damaged; another log of decisions begins')
      this.#logId = random(LOG_ID_BYTES).toString('hex')
      return
    }
    this.#logId = last.message.logId
    this.#nextBatch = last.message.batch + 1
    this.#head = last.head
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
    await this.#roomFor(reporter.uid, signal)
    const { parts, written } = this.#gather()
    parts.push({ report, reported, reporter })
    await written.promise
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
    else await upstream.reportDecisions(saved.message, signal)
    this.#storedThrough = file
    for (const done of this.#waiting.slice(0, -1).filter((one) => one.file <= file)) await this.#forget(done)
    for (const tell of this.#room) tell()
  }

  async #forget(done: SpooledBatch): Promise<void> {
    await this.#deps.spool.remove(done.file)
    this.#waiting = this.#waiting.filter(({ file }) => file !== done.file)
    for (const [uid, bytes] of this.#uidsOf.get(done.file) ?? []) {
      const left = (this.#bytesByUid.get(uid) ?? 0) - bytes
      if (left > 0) this.#bytesByUid.set(uid, left)
      else this.#bytesByUid.delete(uid)
    }
    this.#uidsOf.delete(done.file)
  }

  #gather(): Gathering {
    if (this.#gathering !== undefined) return this.#gathering
    this.#gathering = { parts: [], written: Promise.withResolvers<void>() }
    this.#writing = this.#writing.then(() => this.#write())
    return this.#gathering
  }

  /** Writes what has gathered while the last write ran: many reports, one sync of the disk. A failed write moves nothing on. */
  async #write(): Promise<void> {
    const gathering = this.#gathering
    if (gathering === undefined) return
    this.#gathering = undefined
    const { parts, written } = gathering
    try {
      const file = this.#nextFile
      const { batch, head } = this.#batchOf(parts)
      const spooled = await this.#deps.spool.write(file, batch, head)
      // Taken up after the write: what was sent meanwhile has left another list.
      this.#waiting = [...this.#waiting, spooled]
      this.#head = head
      this.#nextBatch++
      this.#nextFile++
      for (const { report, reporter } of parts) this.#count(file, reporter.uid, sizeOf(report))
      written.resolve()
      this.#arrived.ring()
    } catch (error) {
      this.#deps.log.error({ err: error }, 'Decisions could not be saved')
      written.reject(error)
    }
  }

  #batchOf(parts: Gathering['parts']): { readonly batch: DecisionBatch; readonly head: ChainHead } {
    const agentId = this.#checkJoined()
    let head = this.#head
    const records = parts.flatMap(({ reported, reporter: { uid, pid } }) => {
      const linked = chainRecords(reported, head, { agentId, uid, pid })
      head = linked.head
      return linked.records
    })
    const sum = (of: (report: DecisionReport) => number): number =>
      parts.reduce((all, { report }) => all + of(report), 0)
    const batch = {
      logId: this.#logId,
      batch: this.#nextBatch,
      records,
      counters: parts.flatMap(({ report }) => report.counters),
      droppedRecords: sum(({ droppedRecords }) => droppedRecords),
      droppedCounters: sum(({ droppedCounters }) => droppedCounters),
    }
    return { batch, head }
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
    const all = this.#waiting.reduce((sum, { bytes }) => sum + bytes, 0)
    return all >= spoolMaxBytes || (this.#bytesByUid.get(uid) ?? 0) >= spoolMaxBytes * SHARE_OF_ONE_USER
  }

  #count(file: number, uid: number, bytes: number): void {
    this.#bytesByUid.set(uid, (this.#bytesByUid.get(uid) ?? 0) + bytes)
    const ofFile = new Map(this.#uidsOf.get(file))
    this.#uidsOf.set(file, ofFile.set(uid, (ofFile.get(uid) ?? 0) + bytes))
  }
}

/** Of one counter on disk, roughly. */
const COUNTER_BYTES = 300

const sizeOf = ({ records, counters }: DecisionReport): number =>
  records.reduce((sum, { length }) => sum + length, 0) + counters.length * COUNTER_BYTES
