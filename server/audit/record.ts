/** What happened, before it has a place in the chain. `facts` holds no secrets, only ids, serials, codes and instants. */
export interface AuditEvent {
  /** Such as `x509-svid.issued`, `jwt-svid.issued`, `entry.created`, `agent.attested`, `agent.banned`, `call.refused`. */
  readonly type: string
  readonly at: Date
  readonly facts: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>
}

/** An event with its place: hash = SHA-256(previous hash ‖ sequence ‖ canonical JSON of the batch), one link per committed batch. */
export interface StoredAuditRecord {
  readonly sequence: number
  readonly at: Date
  readonly type: string
  /** Canonical JSON of the facts. */
  readonly facts: string
  /** The link that this record belongs to. */
  readonly linkHash: Buffer
}

export interface AuditQuery {
  readonly afterSequence?: number
  readonly limit?: number
  readonly type?: string
  readonly spiffeId?: string
  readonly serialNumber?: string
  readonly since?: Date
  readonly until?: Date
  /** With a limit: the last records instead of the first ones; in the same order. */
  readonly newest?: boolean
}
