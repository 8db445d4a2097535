/** The names of facts in logs, each spelled once. Values are ids, numbers and instants, never tokens or keys. */
export interface LogFields {
  readonly spiffeId?: unknown
  readonly agentId?: unknown
  readonly entryId?: string | undefined
  readonly callerId?: unknown
  readonly pid?: number | undefined
  readonly uid?: number | undefined
  readonly selectors?: readonly string[] | undefined
  readonly method?: string | undefined
  readonly requestId?: string | undefined
  readonly authorityId?: string | undefined
  readonly serialNumber?: string | undefined
  readonly expiresAt?: Date | undefined
  readonly durationMs?: number | undefined
  readonly err?: unknown
  readonly [field: string]: unknown
}

/** Fields that are never printed, whatever somebody hands to the log. */
export const redactedFields = ['token', 'key', 'privateKey', 'csr', 'svid', 'password', 'secret', 'joinToken'] as const
