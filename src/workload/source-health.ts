/**
 * How current a source is:
 *
 * - `starting`: nothing has arrived yet.
 * - `current`: the stream is open, and what is held is its last message.
 * - `degraded`: the agent is away, or its last message could not be used; the last good value stays in use.
 * - `withdrawn`: the agent says that this workload is entitled to nothing any more.
 * - `expired`: the SVID in use is past its end, and no newer one has come; `current()` refuses.
 * - `failed`: the agent answered that asking again is of no use; the last good value stays in use until it expires.
 * - `closed`: the source was closed.
 */
export type SourceStatus = 'starting' | 'current' | 'degraded' | 'withdrawn' | 'expired' | 'failed' | 'closed'

/** How a source is doing. */
export interface SourceHealth {
  readonly status: SourceStatus
  /** When this status began. */
  readonly since: Date
  /** The last thing that went wrong since the last good message. */
  readonly error: Error | undefined
  /** When the SVID in use ends; undefined where nothing is held that ends. */
  readonly expiresAt: Date | undefined
}
