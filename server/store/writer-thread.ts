import { Worker } from 'node:worker_threads'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import { reasonOf } from './sqlite-error.ts'
import type { EncodedOutcome, WriterReply, WriterRequest, WriterStart } from './writer-protocol.ts'

/** A request that kills the writer this often is given up. */
export const WRITER_MAX_ATTEMPTS = 3
/** A writer that dies this often before it has opened the database is given up, until the next request. */
export const WRITER_MAX_STARTS = 5
const RESTART_AFTER_MS = 10

export type StartWorker = (start: WriterStart) => Worker

type Question = Exclude<WriterRequest, { kind: 'close' }>
type Ready = Extract<WriterReply, { kind: 'ready' }>
type Failed = Extract<WriterReply, { kind: 'failed' }>

export type WriterAnswer =
  | Extract<WriterReply, { kind: 'written' | 'pruned' | 'released' }>
  /** The writer died after its commit: the outcomes as the database kept them; the changes are in its log. */
  | { readonly kind: 'recovered'; readonly outcomes: readonly EncodedOutcome[] }

/** Runs `writer.ts` from source, or `writer.js` beside a bundle. */
export const startWriterWorker: StartWorker = (start) => {
  const file = import.meta.url.endsWith('.ts') ? './writer.ts' : './writer.js'
  return new Worker(new URL(file, import.meta.url), {
    workerData: start,
    name: 'store writer',
    // What it works on is gone after each group: room for many groups would only be memory that is never given back.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  })
}

/**
 * The writer thread as one call at a time. When the thread dies, a new one is started and asked whether the group that was
 * under way is on the disk: every group leaves its number and outcomes in the same transaction. So a crash loses nothing and
 * repeats nothing.
 */
export class WriterThread {
  readonly #start: WriterStart
  readonly #startWorker: StartWorker
  readonly #clock: Clock
  readonly #log: Log
  #running: RunningWriter | undefined

  constructor(start: WriterStart, startWorker: StartWorker, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#start = start
    this.#startWorker = startWorker
    this.#clock = deps.clock
    this.#log = deps.log
  }

  /** Resolves when a writer runs and has opened the database. */
  async ready(): Promise<void> {
    await this.#ready()
  }

  /** Not to be called again before it has settled. */
  async ask(question: Question): Promise<WriterAnswer> {
    let failure: SallyportError | undefined
    for (let attempt = 1; ; attempt++) {
      const writer = await this.#ready().catch((error: unknown) => {
        throw attempt === 1 ? error : unknownOutcome(error)
      })
      const isOnDisk = attempt > 1 && question.kind === 'write' && writer.state.lastGroup === question.group
      if (isOnDisk) return { kind: 'recovered', outcomes: JSON.parse(writer.state.lastOutcomes) as EncodedOutcome[] }
      if (failure !== undefined) throw failure
      if (attempt > WRITER_MAX_ATTEMPTS) throw this.#givenUp()
      const reply = await writer.running.ask(question)
      if (reply?.kind === 'failed') {
        failure = this.#errorOf(reply)
        if (!reply.unsure) throw failure
        await this.#stop()
      } else if (reply !== undefined && reply.kind !== 'ready') return reply
    }
  }

  /** Ends the thread after what it does now; the database is closed then. */
  async close(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.close()
  }

  async #ready(): Promise<{ running: RunningWriter; state: Ready }> {
    let lastWords = ''
    for (let start = 0; start < WRITER_MAX_STARTS; start++) {
      if (start > 0) await this.#clock.sleep(RESTART_AFTER_MS * 2 ** start)
      const running = (this.#running ??= this.#spawn())
      const reply = await running.opened
      if (reply?.kind === 'ready') return { running, state: reply }
      await this.#stop()
      if (reply?.kind === 'failed') throw this.#errorOf(reply)
      lastWords = running.lastWords
    }
    throw new SallyportError('STORE_FAILED', `Cannot start the writer of ${this.#start.path}: ${lastWords}`)
  }

  #spawn(): RunningWriter {
    const running = new RunningWriter(this.#startWorker(this.#start), () => {
      if (this.#running !== running) return
      this.#running = undefined
      this.#log.warn({ reason: running.lastWords }, 'Lost the writer thread of the store, starting another')
    })
    return running
  }

  async #stop(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.terminate()
  }

  #givenUp(): SallyportError {
    const message = `Cannot write to the database ${this.#start.path}: its writer failed ${WRITER_MAX_ATTEMPTS} times at this change`
    return new SallyportError('STORE_FAILED', message)
  }

  #errorOf({ code, message }: Failed): SallyportError {
    return new SallyportError(code, `Cannot write to the database ${this.#start.path}: ${message}`)
  }
}

/** One worker, from its start to its end. */
class RunningWriter {
  /** Undefined when the worker ended before it said anything. */
  readonly opened: Promise<WriterReply | undefined>
  lastWords = 'it stopped'
  readonly #worker: Worker
  readonly #exited: Promise<void>
  #waiting: ((reply: WriterReply | undefined) => void) | undefined

  constructor(worker: Worker, onExit: () => void) {
    this.#worker = worker
    this.opened = this.#nextReply()
    const exited = Promise.withResolvers<void>()
    this.#exited = exited.promise
    worker.on('message', (reply: WriterReply) => this.#settle(reply))
    worker.on('error', (error) => (this.lastWords = reasonOf(error)))
    worker.on('exit', () => {
      onExit()
      this.#settle(undefined)
      exited.resolve()
    })
  }

  ask(request: Question): Promise<WriterReply | undefined> {
    const reply = this.#nextReply()
    this.#worker.postMessage(request)
    return reply
  }

  close(): Promise<void> {
    this.#worker.postMessage({ kind: 'close' } satisfies WriterRequest)
    return this.#exited
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate()
    await this.#exited
  }

  #nextReply(): Promise<WriterReply | undefined> {
    return new Promise((resolve) => (this.#waiting = resolve))
  }

  #settle(reply: WriterReply | undefined): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(reply)
  }
}

function unknownOutcome(cause: unknown): SallyportError {
  return new SallyportError('STORE_OUTCOME_UNKNOWN', 'Cannot say whether the change was made: the writer failed', {
    cause,
  })
}
