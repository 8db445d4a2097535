import type { Decision } from '../policy/decision.ts'
import type { DecisionCounter, DecisionReport } from '../wire/messages/sallyport-policy-v1.ts'
import type { Side } from './decision-record.ts'

/** Records that wait for the agent at most. */
export const RECORDS_MAX = 2000
/** Different things that are counted between two reports at most. */
export const COUNTERS_MAX = 5000
/** Of the same thing that is allowed one is recorded in full in this time. */
const FULL_EVERY_MS = 60_000
/** As much as an agent takes at once. */
const REPORT_RECORDS_MAX = 500
const REPORT_COUNTERS_MAX = 2000

interface Waiting {
  readonly content: Buffer
  readonly isDenial: boolean
}

interface Counted {
  counter: DecisionCounter
}

/** What counts as the same thing. */
export interface CounterFacts {
  readonly side: Side
  readonly port: number
  readonly protocol: string
  readonly policyRevision: number
}

/**
 * What was decided, until the agent has it: every refusal in full, of what is allowed one in a minute, and exact counts of
 * everything. Bounded: when full, what was allowed goes first, and what went is counted.
 *
 * @see zones.md §3.16
 */
export class DecisionRecorder {
  #records: Waiting[] = []
  #counters = new Map<string, Counted>()
  readonly #fullAtMs = new Map<string, number>()
  #droppedRecords = 0
  #droppedCounters = 0

  /** Records and counters that wait. */
  get size(): number {
    return this.#records.length + this.#counters.size
  }

  /**
   * Counts a decision, and keeps its record where it is to be kept in full.
   *
   * @param record made only then
   * @returns whether somebody may look for it at once
   */
  take(decision: Decision, facts: CounterFacts, nowMs: number, isReeval: boolean, record: () => object): boolean {
    const key = keyOf(decision, facts)
    this.#count(key, decision, facts, nowMs)
    const isNoted = isNoteworthy(decision, isReeval)
    if (isNoted || this.#isFirst(key, nowMs)) {
      this.#keep({ content: Buffer.from(JSON.stringify(record())), isDenial: decision.raw === 'deny' })
    }
    return isNoted
  }

  /** Takes out what the next report says; undefined when nothing waits. */
  next(): Omit<DecisionReport, 'batch'> | undefined {
    if (this.size + this.#droppedRecords + this.#droppedCounters === 0) return undefined
    const records = this.#records.splice(0, REPORT_RECORDS_MAX).map(({ content }) => content)
    const counters: DecisionCounter[] = []
    for (const [key, { counter }] of this.#counters) {
      if (counters.length === REPORT_COUNTERS_MAX) break
      counters.push(counter)
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
      counted.counter = { ...counted.counter, count: counted.counter.count + 1, lastMs: nowMs }
    } else if (this.#counters.size < COUNTERS_MAX) {
      this.#counters.set(key, { counter: firstCount(decision, facts, nowMs) })
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

  #keep(waiting: Waiting): void {
    if (this.#records.length >= RECORDS_MAX) {
      const allowed = this.#records.findIndex(({ isDenial }) => !isDenial)
      this.#droppedRecords++
      if (allowed === -1 && !waiting.isDenial) return
      this.#records.splice(Math.max(allowed, 0), 1)
    }
    this.#records.push(waiting)
  }
}

/** Refusals, what observe mode let pass, what was elevated, and every second thought on an open connection. */
function isNoteworthy({ raw, gates: { movement, access } }: Decision, isReeval: boolean): boolean {
  const isElevated = [movement.by, access.by].some((by) => by?.kind === 'grant' || by?.kind === 'breakGlass')
  return raw === 'deny' || isElevated || isReeval
}

function keyOf({ src, dst, action, gates, decision, code, route }: Decision, facts: CounterFacts): string {
  const { movement, access } = gates
  return [
    ...[src.id, src.zone, dst.service, action, route, decision, code, movement.by?.id, access.by?.id],
    ...[facts.side, facts.port, facts.policyRevision],
  ].join(' ')
}

function firstCount(
  { src, dst, action, route, decision, wouldDeny, deniedBy, code, gates }: Decision,
  { side, port, protocol, policyRevision }: CounterFacts,
  nowMs: number,
): DecisionCounter {
  return {
    ...{ source: src.id ?? '', sourceZone: src.zone ?? '', service: dst.service, destination: dst.id ?? '' },
    ...{ destinationZone: dst.zone ?? '', action: action ?? '', route: route ?? '' },
    movementBy: opener(gates.movement.by),
    accessBy: opener(gates.access.by),
    ...{ decision, wouldDeny, deniedBy: deniedBy ?? '', code: code ?? '' },
    ...{ side, port, protocol, policyRevision, count: 1, firstMs: nowMs, lastMs: nowMs },
  }
}

const opener = (by: { readonly kind: string; readonly id: string } | null): string =>
  by === null ? '' : `${by.kind}:${by.id}`
