import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Selector } from '../../src/entry/selector.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Bundle } from '../../src/bundle/bundle.ts'
import type { AuditEvent, AuditQuery, StoredAuditRecord } from '../audit/record.ts'
import type {
  DecisionBatchRow,
  DecisionCounts,
  DecisionFilter,
  DecisionLimits,
  DecisionQuery,
  DecisionRoom,
  StoredDecision,
  StoredDecisionCounter,
} from './decision-rows.ts'
import type { FastLaneRow, LifecycleObject, PolicyRevisionRow, PolicySnapshot, PolicyStateRow } from './policy-rows.ts'

/** A node that has joined. */
export interface AttestedAgent {
  readonly spiffeId: SpiffeId
  readonly attestationType: string
  /** Decimal, as SPIRE prints it; empty when banned. */
  readonly serialNumber: string
  /** Serial of a renewed SVID that has not been used yet. */
  readonly pendingSerialNumber: string | undefined
  readonly pendingExpiresAt: Date | undefined
  readonly expiresAt: Date
  readonly selectors: readonly Selector[]
  readonly banned: boolean
  readonly canReattest: boolean
  readonly version: string
  readonly attestedAt: Date
  /** SHA-256 of the SPKI of the last agent key (and of the pending one): proof for a return within the rejoin window. */
  readonly keyHashes: readonly string[]
  /** Counts changes of this record; a put names the one it read. */
  readonly revisionNumber: number
}

/** A join token; the token itself is never stored. */
export interface JoinToken {
  /** SHA-256 of the token, hex. */
  readonly hash: string
  readonly expiresAt: Date
  /** The alias that agents joined with it answer to. */
  readonly aliasId: SpiffeId | undefined
  readonly addressRange: string | undefined
  readonly spent: { readonly at: Date; readonly address: string } | undefined
}

/** One row of a server's authority journal, by kind and id. */
export interface AuthorityRow {
  readonly serverId: string
  readonly kind: 'x509' | 'jwt' | 'wit'
  readonly authorityId: string
  readonly state: 'prepared' | 'published' | 'active' | 'old' | 'removed'
  /** Name of the key in the KeyStore. */
  readonly keyName: string
  readonly keyType: string
  /** CA certificate chain (DER), or the SPKI of a key that signs tokens. */
  readonly publicDer: readonly Buffer[]
  readonly notBefore: Date
  readonly notAfter: Date
  readonly tainted: boolean
  /** Store revision of the bundle that first held it; acknowledgements are compared with this. */
  readonly publishedRevision: number | undefined
  readonly changedAt: Date
}

/** One thing that a transaction does. Preconditions that fail make the whole transaction fail with a `StoreConflict`. */
export type Mutation =
  /** Fails with the existing entry when the id or (spiffeId, parentId, selector set) exists. */
  | { readonly kind: 'entry.create'; readonly entry: RegistrationEntry }
  /** Fails unless the stored revisionNumber is `entry.revisionNumber - 1`; or when it would become similar to another entry. */
  | { readonly kind: 'entry.update'; readonly entry: RegistrationEntry }
  | { readonly kind: 'entry.delete'; readonly id: string }
  /** Creates (revisionNumber 0) or replaces (stored revisionNumber is one less). */
  | { readonly kind: 'agent.put'; readonly agent: AttestedAgent }
  | { readonly kind: 'agent.delete'; readonly spiffeId: SpiffeId }
  | { readonly kind: 'token.create'; readonly token: JoinToken }
  /** Fails when missing, spent or expired at `at`. */
  | { readonly kind: 'token.spend'; readonly hash: string; readonly at: Date; readonly address: string }
  | { readonly kind: 'token.prune'; readonly expiredBefore: Date }
  /** Own or foreign. Fails unless the stored sequence (0 when none) is `ifSequence`, where given. */
  | { readonly kind: 'bundle.put'; readonly bundle: Bundle; readonly ifSequence?: number | undefined }
  | { readonly kind: 'bundle.delete'; readonly trustDomain: string }
  | { readonly kind: 'authority.put'; readonly row: AuthorityRow }
  | {
      readonly kind: 'authority.delete'
      readonly serverId: string
      readonly authorityKind: AuthorityRow['kind']
      readonly authorityId: string
    }
  /** Fails as stale unless its revision is the next one. */
  | { readonly kind: 'policy.put'; readonly row: PolicyRevisionRow }
  /** Creates (revisionNumber 0) or replaces (stored revisionNumber is one less). */
  | { readonly kind: 'policyState.put'; readonly row: PolicyStateRow }
  | { readonly kind: 'lifecycle.put'; readonly row: LifecycleObject }
  | { readonly kind: 'lifecycle.delete'; readonly id: string }
  /** Fails as stale unless its sequence is the next one. */
  | { readonly kind: 'fastLane.append'; readonly row: FastLaneRow }
  /** Changes nothing that anybody follows, so it takes no revision. A batch that is there already is not added again. */
  | { readonly kind: 'decisions.add'; readonly batch: DecisionBatchRow; readonly room: DecisionRoom }

/** All or nothing, durable when `commit` resolves. Audit events of the same transaction are chained with it. */
export interface Transaction {
  readonly mutations: readonly Mutation[]
  readonly audit: readonly AuditEvent[]
}

export interface Committed {
  readonly ok: true
  /** The store's revision after this transaction; unchanged (0 mutations) for audit-only ones. */
  readonly revision: number
}

/** Why a transaction was not applied. */
export interface StoreConflict {
  readonly ok: false
  /** Index of the mutation that failed. */
  readonly index: number
  readonly reason: 'exists' | 'missing' | 'stale' | 'spent' | 'expired'
  /** The similar or same-id entry, for `exists` on entries. */
  readonly existingEntry?: RegistrationEntry | undefined
  readonly existingToken?: JoinToken | undefined
}

export type Outcome = Committed | StoreConflict

/** What a mutation did, as followers of the log see it. Old values let a follower know whom it concerned. */
export type Change =
  | {
      readonly kind: 'entry'
      readonly id: string
      readonly before: RegistrationEntry | undefined
      readonly after: RegistrationEntry | undefined
    }
  | {
      readonly kind: 'agent'
      readonly spiffeId: SpiffeId
      readonly before: AttestedAgent | undefined
      readonly after: AttestedAgent | undefined
    }
  | {
      readonly kind: 'bundle'
      readonly trustDomain: string
      readonly before: Bundle | undefined
      readonly after: Bundle | undefined
    }
  | { readonly kind: 'token'; readonly hash: string }
  | { readonly kind: 'authority'; readonly row: AuthorityRow }
  | { readonly kind: 'policy'; readonly row: PolicyRevisionRow }
  | { readonly kind: 'policyState'; readonly row: PolicyStateRow }
  | {
      readonly kind: 'lifecycle'
      readonly id: string
      readonly before: LifecycleObject | undefined
      readonly after: LifecycleObject | undefined
    }
  | { readonly kind: 'fastLane'; readonly row: FastLaneRow }

/** One committed transaction that mutated something; revisions are gap-free and in commit order. */
export interface Revision {
  readonly revision: number
  readonly changes: readonly Change[]
}

export interface StoreSnapshot {
  readonly revision: number
  readonly entries: readonly RegistrationEntry[]
  readonly agents: readonly AttestedAgent[]
  readonly bundles: readonly Bundle[]
  readonly authorities: readonly AuthorityRow[]
}

/** The audit chain up to and including one link. */
export interface AuditPosition {
  readonly sequence: number
  readonly hash: Buffer
}

export interface PruneLimits {
  readonly logBefore: Date
  readonly auditBefore: Date
  readonly decisions?: DecisionLimits | undefined
}

/**
 * Everything the server must not lose. Implementations: SQLite (`sqlite.ts`), memory (`test/fakes/memory-store.ts`), held to one
 * contract (`test/contracts/store.ts`).
 */
export interface Store extends AsyncDisposable {
  /** Names this database for its whole life: a restored copy gets a new one (see `docs/decisions.md`). */
  readonly epoch: string
  /** Commits each transaction by itself (group-committed together); resolves when all are durable, outcomes in order. */
  commitAll(transactions: readonly Transaction[]): Promise<readonly Outcome[]>
  commit(transaction: Transaction): Promise<Outcome>
  snapshot(): Promise<StoreSnapshot>
  /** Every revision after `after`, in order, as it is committed. Throws STORE_LOG_PRUNED when `after` is older than the log. */
  watch(after: number, signal: AbortSignal): AsyncIterable<readonly Revision[]>
  /** The kept revisions after `after` (24 h), or undefined when some are pruned or they are too many: take a snapshot then. */
  changesSince(after: number): Promise<readonly Revision[] | undefined>
  token(hash: string): Promise<JoinToken | undefined>
  audit(query: AuditQuery): AsyncIterable<StoredAuditRecord>
  /** Sequence and hash of the newest audit record, as committed. */
  auditHead(): AuditPosition
  /** Where the kept part of the audit chain starts: the last link that was pruned, or the hash of the empty journal (sequence 0). */
  auditStart(): Promise<AuditPosition>
  policySnapshot(): Promise<PolicySnapshot>
  policyRevision(revision: number): Promise<PolicyRevisionRow | undefined>
  /** Newest first, below `before` where given. */
  policyRevisions(query: { readonly before?: number; readonly limit: number }): Promise<readonly PolicyRevisionRow[]>
  /** The kept entries after one, oldest first. */
  fastLane(after: number, limit: number): Promise<readonly FastLaneRow[]>
  /** Newest first. */
  decisions(query: DecisionQuery): Promise<readonly StoredDecision[]>
  decision(id: string): Promise<StoredDecision | undefined>
  decisionCounters(filter: DecisionFilter): AsyncIterable<StoredDecisionCounter>
  decisionCounts(): Promise<DecisionCounts>
  /** Removes log rows (of the fast lane all but the newest), audit records and decisions older than these instants; the audit chain keeps a checkpoint. */
  prune(limits: PruneLimits): Promise<void>
  /** Drops pages of the database that are kept in memory: they are read again when they are needed. */
  releaseMemory(): Promise<void>
}
