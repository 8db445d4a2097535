import type { Decision } from '../policy/decision.ts'
import type { DecisionCounter, DecisionReport } from '../wire/messages/sallyport-policy-v1.ts'
import type { Side } from './decision-record.ts'

/** Records that wait for the agent at most: as many as there may be connections that a quarantine closes together. */
export const RECORDS_MAX = 10_000
/** Different things that are counted between two reports at most. */
export const COUNTERS_MAX = 10_000
/** Of the same thing that is allowed one is recorded in full in this time. */
const FULL_EVERY_MS = 60_000
/** As much as an agent takes at once. */
const REPORT_RECORDS_MAX = 500
const REPORT_COUNTERS_MAX = 2000

interface Counted {
  readonly decision: Decision
  readonly facts: CounterFacts
  readonly firstMs: number
  count: number
  lastMs: number
}

/** A record as it will be: many may come at once, so they are written when they leave. */
export type RecordDraft = () => object

/** What counts as the same thing. */
export interface CounterFacts {
  readonly side: Side
  readonly port: number
  readonly protocol: string
  readonly policyRevision: number
}

/**
 * What was decided, until the agent has it: every refusal in full, of what is allowed one in a minute, and exact counts of
 * everything. Bounded: when full, what was allowed goes first, then the oldest, and what went is counted.
 *
 * @see zones.md §3.16
 */
export class DecisionRecorder {
  /** Refusals and what else is to be kept in full. */
  readonly #noted: RecordDraft[] = []
  /** Of what is allowed, one in a minute. */
  readonly #allowed: RecordDraft[] = []
  readonly #counters = new Map<string, Counted>()
  readonly #fullAtMs = new Map<string, number>()
  #droppedRecords = 0
  #droppedCounters = 0

  /** Records and counters that wait. */
  get size(): number {
    return this.#noted.length + this.#allowed.length + this.#counters.size
  }

  /**
   * Counts a decision, and keeps its record where it is to be kept in full.
   *
   * @param draft made only then; what changes with time is already in it
   * @returns whether it should be told soon: somebody may look for it, or room for others runs out
   */
  take(decision: Decision, facts: CounterFacts, nowMs: number, isReeval: boolean, draft: () => RecordDraft): boolean {
    const key = keyOf(decision, facts)
    this.#count(key, decision, facts, nowMs)
    const isNoted = isNoteworthy(decision, isReeval)
    if (isNoted || this.#isFirst(key, nowMs)) this.#keep(draft(), isNoted)
    return isNoted || this.#counters.size > COUNTERS_MAX / 2
  }

  /** Takes out what the next report says; undefined when nothing waits. */
  next(): Omit<DecisionReport, 'batch' | 'reporter'> | undefined {
    if (this.size + this.#droppedRecords + this.#droppedCounters === 0) return undefined
    const drafts = this.#noted.splice(0, REPORT_RECORDS_MAX)
    drafts.push(...this.#allowed.splice(0, REPORT_RECORDS_MAX - drafts.length))
    const records = drafts.map((draft) => Buffer.from(JSON.stringify(draft())))
    const counters: DecisionCounter[] = []
    for (const [key, counted] of this.#counters) {
      if (counters.length === REPORT_COUNTERS_MAX) break
      counters.push(counterOf(counted))
      this.#counters.delete(key)
    }
    const report = {
      records,
      counters,
      droppedRecords: this.#droppedRecords,
      droppedCounters: this.#droppedCounters,
    }
    this.#droppedRecords = 0
    this.#droppedCounters = 0
    return report
  }

  #count(key: string, decision: Decision, facts: CounterFacts, nowMs: number): void {
    const counted = this.#counters.get(key)
    if (counted !== undefined) {
      counted.count++
      counted.lastMs = nowMs
    } else if (this.#counters.size < COUNTERS_MAX) {
      this.#counters.set(key, { decision, facts, firstMs: nowMs, count: 1, lastMs: nowMs })
    } else this.#droppedCounters++
  }

  #isFirst(key: string, nowMs: number): boolean {
    const last = this.#fullAtMs.get(key)
    if (last !== undefined && nowMs - last < FULL_EVERY_MS) return false
    // What was long ago says nothing any more.
    if (this.#fullAtMs.size >= COUNTERS_MAX) this.#fullAtMs.clear()
    this.#fullAtMs.set(key, nowMs)
    return true
  }

  #keep(draft: RecordDraft, isNoted: boolean): void {
    const list = isNoted ? this.#noted : this.#allowed
    if (this.#noted.length + this.#allowed.length >= RECORDS_MAX) {
      this.#droppedRecords++
      // What was allowed goes first; it does not push out what is to be kept.
      const dropped = this.#allowed.shift() ?? (isNoted ? this.#noted.shift() : undefined)
      if (dropped === undefined) return
    }
    list.push(draft)
  }
}

/** Refusals, what observe mode let pass, what was elevated, and every second thought on an open connection. */
function isNoteworthy({ raw, gates: { movement, access } }: Decision, isReeval: boolean): boolean {
  const isElevated = [movement.by, access.by].some((by) => by?.kind === 'grant' || by?.kind === 'breakGlass')
  return raw === 'deny' || isElevated || isReeval
}

function keyOf({ src, dst, action, gates, decision, code, route }: Decision, facts: CounterFacts): string {
  const { movement, access } = gates
  const what = `${src.id} ${src.zone} ${dst.service} ${action} ${route} ${decision} ${code}`
  return `${what} ${movement.by?.id} ${access.by?.id} ${facts.side} ${facts.port} ${facts.policyRevision}`
}

function counterOf({ decision, facts, count, firstMs, lastMs }: Counted): DecisionCounter {
  const { src, dst, action, route, gates } = decision
  return {
    ...{ source: src.id ?? '', sourceZone: src.zone ?? '', service: dst.service, destination: dst.id ?? '' },
    ...{ destinationZone: dst.zone ?? '', action: action ?? '', route: route ?? '' },
    movementBy: opener(gates.movement.by),
    accessBy: opener(gates.access.by),
    ...{ decision: decision.decision, wouldDeny: decision.wouldDeny },
    ...{ deniedBy: decision.deniedBy ?? '', code: decision.code ?? '' },
    ...{ side: facts.side, port: facts.port, protocol: facts.protocol, policyRevision: facts.policyRevision },
    ...{ count, firstMs, lastMs },
  }
}

const opener = (by: { readonly kind: string; readonly id: string } | null): string =>
  by === null ? '' : `${by.kind}:${by.id}`
