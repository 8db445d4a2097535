/** What became of one candidate of a gate. */
export interface Candidate {
  readonly gate: 'movement' | 'access'
  readonly kind: 'guard' | 'conduit' | 'rule' | 'grant' | 'breakGlass'
  readonly id: string
  /** Of the party that it was asked for: the source, or the caller of a forwarded token. */
  readonly party: string
  readonly outcome: Outcome
}

export type Outcome =
  | 'opens'
  | 'closes'
  /** A guard that does not stand in the way: its condition is false, its actions are others. */
  | 'doesNotMatch'
  | 'otherPort'
  | 'otherSubject'
  | 'otherDestination'
  | 'otherAction'
  | 'outsideWindow'
  | 'expired'
  | 'conditionFalse'
  | 'conditionError'
  /** A guard leaves only its exceptions, and this is none. */
  | 'guarded'
  /** A quarantine leaves only its forensics conduits, and this is none. */
  | 'notForensics'
  /** The answer stood before its turn came. */
  | 'notAsked'
  /** It breaks a rule of its template or declaration. */
  | 'invalid'

/** Takes down candidates for an explanation. `decide` has none, so that nothing is made for nobody. */
export type Record = (candidate: Candidate) => void
