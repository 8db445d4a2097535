/** Where counts stop, 2^53 - 1: whatever workloads say, what is stored can be read. */
export const COUNT_MAX = Number.MAX_SAFE_INTEGER

/** What a decision is looked up by; texts are empty where there is none. */
export interface DecisionFacts {
  readonly decision: string
  readonly wouldDeny: boolean
  readonly deniedBy: string
  readonly code: string
  readonly source: string
  readonly sourceZone: string
  readonly service: string
  readonly destinationZone: string
}

export interface DecisionRecordRow extends DecisionFacts {
  readonly id: string
  /** Of the agent's log. */
  readonly sequence: number
  readonly atMs: number
  /** Canonical JSON. */
  readonly content: string
}

/** How often the same thing was decided on one day. */
export interface DecisionCounterRow extends DecisionFacts {
  /** Days since 1970. */
  readonly day: number
  /** Canonical JSON of everything that tells this counter from others. */
  readonly key: string
  readonly count: number
  readonly firstMs: number
  readonly lastMs: number
}

/** A record as it came, and who made it. */
export interface ReportedRecord extends DecisionRecordRow {
  /** The SPIFFE ID of the end that decided, as the agent vouches for it; empty: none. */
  readonly workload: string
}

/** A counter as it came, and who counted. */
export interface ReportedCounter extends DecisionCounterRow {
  /** As of {@link ReportedRecord}. */
  readonly workload: string
}

/** What an agent reported in one go. A batch that is there already is not added again. */
export interface DecisionBatchRow {
  readonly agent: string
  readonly logId: string
  readonly batch: number
  readonly receivedMs: number
  readonly records: readonly ReportedRecord[]
  readonly counters: readonly ReportedCounter[]
  readonly droppedRecords: number
  readonly droppedCounters: number
}

export interface StoredDecision extends DecisionRecordRow {
  readonly position: number
  readonly agent: string
  readonly logId: string
  readonly receivedMs: number
}

export interface StoredDecisionCounter extends DecisionCounterRow {
  readonly agent: string
}

/** What is not set does not filter. */
export interface DecisionFilter extends Partial<DecisionFacts> {
  readonly agent?: string
  readonly sinceMs?: number
  readonly untilMs?: number
}

export interface DecisionQuery extends DecisionFilter {
  /** Only positions below, newest first; left out: from the newest. */
  readonly before?: number
  /** Only positions above. */
  readonly after?: number
  readonly limit: number
}

/** How much is stored. */
export interface DecisionCounts {
  readonly records: number
  readonly counters: number
  /** What workloads had no room for, and what went here to make room before its time. */
  readonly droppedRecords: number
  readonly droppedCounters: number
}

/**
 * The most that is kept. What is over it goes from the agent that holds most, there from the workload that holds most, its oldest
 * first; so nobody pushes out what others have who hold less.
 */
export interface DecisionRoom {
  readonly maxRecords: number
  readonly maxCounters: number
  /** Of records, and as many of counters, in all and of one agent, with what the database needs to find them. */
  readonly maxBytes: number
  readonly maxBytesPerAgent: number
}

export interface DecisionLimits extends DecisionRoom {
  /** What was received earlier goes. */
  readonly before: Date
}

export function matchesDecision(
  facts: DecisionFacts & { readonly agent: string },
  filter: DecisionFilter,
  span: { readonly firstMs: number; readonly lastMs: number },
): boolean {
  const { sinceMs, untilMs, agent } = filter
  return (
    (agent === undefined || facts.agent === agent) &&
    decisionFields.every((field) => filter[field] === undefined || facts[field] === filter[field]) &&
    (sinceMs === undefined || span.lastMs >= sinceMs) &&
    (untilMs === undefined || span.firstMs <= untilMs)
  )
}

export const decisionFields = [
  'decision',
  'wouldDeny',
  'deniedBy',
  'code',
  'source',
  'sourceZone',
  'service',
  'destinationZone',
] as const satisfies readonly (keyof DecisionFacts)[]
