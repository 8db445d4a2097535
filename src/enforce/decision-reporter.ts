import { randomBytes } from 'node:crypto'
import { doneOrAborted } from '../abort.ts'
import { type Clock, sleepUnlessAborted } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { DecisionReceipt, DecisionReport } from '../wire/messages/sallyport-policy-v1.ts'
import type { DecisionRecorder } from './decision-recorder.ts'

/** How often what was decided is told to the agent. */
const REPORT_EVERY_MS = 10_000
const RETRY_MS = 5000
/** A refusal waits this long for others to go with it. */
const HURRY_MS = 200
const FLUSH_LOOK_MS = 20

/** Who takes reports: an agent. A receipt means that it will not lose the report. */
export type ReportDecisions = (
  reports: AsyncIterable<DecisionReport>,
  signal: AbortSignal,
) => AsyncIterable<DecisionReceipt>

export interface DecisionReporterDeps {
  readonly recorder: DecisionRecorder
  readonly report: ReportDecisions
  readonly clock: Clock
  readonly onError: (error: Error) => void
}

interface Pending {
  readonly report: DecisionReport
  readonly taken: PromiseWithResolvers<void>
}

/** Tells the agent what was decided; what has no receipt is told again on the next stream. */
export class DecisionReporter {
  readonly #deps: DecisionReporterDeps
  /** On its way: one at a time, so that what the agent did not take is known. */
  #pending: Pending | undefined
  /** By which an agent knows a report that it has taken, and whose receipt was lost. */
  readonly #name = randomBytes(16)
  #batch = 0
  #wait: Disposable | undefined
  #dueNow = Promise.withResolvers<void>()

  constructor(deps: DecisionReporterDeps) {
    this.#deps = deps
  }

  /** Something was decided that somebody may look for: it is told soon, not only with the next counts. */
  hurry(): void {
    this.#wait ??= this.#deps.clock.timer(HURRY_MS, () => this.#dueNow.resolve())
  }

  /** Resolves when the agent has everything that was decided so far. */
  async flushed(): Promise<void> {
    while (this.#pending !== undefined || this.#deps.recorder.size > 0) {
      this.#dueNow.resolve()
      await this.#deps.clock.sleep(FLUSH_LOOK_MS)
    }
  }

  /** Reports until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, onError } = this.#deps
    while (!signal.aborted) {
      try {
        for await (const { batch } of this.#deps.report(this.#reports(signal), signal)) this.#took(batch)
      } catch (error) {
        if (!signal.aborted) onError(error as Error)
        // What the agent cannot use it would not take the next time either, nor anything after it.
        if (isUnusable(error) && this.#pending !== undefined) this.#took(this.#pending.report.batch)
      }
      await sleepUnlessAborted(clock, RETRY_MS, signal)
    }
  }

  async *#reports(signal: AbortSignal): AsyncGenerator<DecisionReport> {
    while (!signal.aborted) {
      this.#pending ??= this.#next()
      if (this.#pending === undefined) await this.#due(signal)
      else {
        const { report, taken } = this.#pending
        yield report
        await doneOrAborted(taken.promise, signal)
      }
    }
  }

  #next(): Pending | undefined {
    const report = this.#deps.recorder.next()
    if (report === undefined) return undefined
    return { report: { batch: ++this.#batch, reporter: this.#name, ...report }, taken: Promise.withResolvers<void>() }
  }

  #took(batch: number): void {
    if (batch !== this.#pending?.report.batch) return
    const { taken } = this.#pending
    this.#pending = undefined
    taken.resolve()
  }

  async #due(signal: AbortSignal): Promise<void> {
    using _regular = this.#deps.clock.timer(REPORT_EVERY_MS, () => this.#dueNow.resolve())
    await doneOrAborted(this.#dueNow.promise, signal)
    this.#dueNow = Promise.withResolvers<void>()
    this.#wait?.[Symbol.dispose]()
    this.#wait = undefined
  }
}

const isUnusable = (error: unknown): boolean => error instanceof SallyportError && error.row.grpc === 'INVALID_ARGUMENT'
