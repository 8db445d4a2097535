import type { Decision } from '../policy/decision.ts'
import type { DecisionCounter, DecisionReport } from '../wire/messages/sallyport-policy-v1.ts'
import type { Side } from './decision-record.ts'

/** Records that wait for the agent at most: as many as there may be connections that a quarantine closes together. */
export const RECORDS_MAX = 10_000
/** Different things that are counted between two reports at most. */
export const COUNTERS_MAX = 5000
/** Of the same thing that is allowed one is recorded in full in this time. */
const FULL_EVERY_MS = 60_000
/** As much as an agent takes at once. */
const REPORT_RECORDS_MAX = 500
const REPORT_COUNTERS_MAX = 2000

interface Counted {
  readonly first: DecisionCounter
  count: number
  lastMs: number
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
 * everything. Bounded: when full, what was allowed goes first, then the oldest, and what went is counted.
 *
 * @see zones.md §3.16
 */
export class DecisionRecorder {
  /** Refusals and what else is to be kept in full; written as JSON when they leave, because many may come at once. */
  readonly #noted: object[] = []
  /** Of what is allowed, one in a minute. */
  readonly #allowed: object[] = []
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
   * @param record made only then
   * @returns whether it should be told soon: somebody may look for it, or room for others runs out
   */
  take(decision: Decision, facts: CounterFacts, nowMs: number, isReeval: boolean, record: () => object): boolean {
    const key = keyOf(decision, facts)
    this.#count(key, decision, facts, nowMs)
    const isNoted = isNoteworthy(decision, isReeval)
    if (isNoted || this.#isFirst(key, nowMs)) this.#keep(record(), isNoted)
    return isNoted || this.#counters.size > COUNTERS_MAX / 2
  }

  /** Takes out what the next report says; undefined when nothing waits. */
  next(): Omit<DecisionReport, 'batch'> | undefined {
    if (this.size + this.#droppedRecords + this.#droppedCounters === 0) return undefined
    const objects = this.#noted.splice(0, REPORT_RECORDS_MAX)
    objects.push(...this.#allowed.splice(0, REPORT_RECORDS_MAX - objects.length))
    const records = objects.map((record) => Buffer.from(JSON.stringify(record)))
    const counters: DecisionCounter[] = []
    for (const [key, { first, count, lastMs }] of this.#counters) {
      if (counters.length === REPORT_COUNTERS_MAX) break
      counters.push({ ...first, count, lastMs })
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
      this.#counters.set(key, { first: firstCount(decision, facts, nowMs), count: 1, lastMs: nowMs })
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

  #keep(record: object, isNoted: boolean): void {
    const list = isNoted ? this.#noted : this.#allowed
    if (this.#noted.length + this.#allowed.length >= RECORDS_MAX) {
      this.#droppedRecords++
      // What was allowed goes first; it does not push out what is to be kept.
      const dropped = this.#allowed.shift() ?? (isNoted ? this.#noted.shift() : undefined)
      if (dropped === undefined) return
    }
    list.push(record)
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
