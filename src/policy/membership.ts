/**
 * What is known about one registered identity: peers cannot see labels or selectors of the other side, so the server resolves them
 * and ships rows. An id without a row falls back to the zones' patterns, and carries no labels.
 *
 * @see zones.md §3.4; SE-44, ZO-10, ZO-11
 */
export interface IdentityRow {
  readonly spiffeId: string
  /** The zone's id; null: in no zone; a list: in more than one, which denies (AMBIGUOUS_ZONE). */
  readonly zone: string | null | readonly string[]
  /** For people: the pattern, label or selector that placed it. */
  readonly via: string
  /** Labels on which all entries of the id agree. */
  readonly labels: Readonly<Record<string, string>>
}

/** One registration entry as membership sees it. */
export interface RegisteredIdentity {
  readonly spiffeId: string
  readonly labels: Readonly<Record<string, string>>
  /** As `type:value`. */
  readonly selectors: readonly string[]
}
