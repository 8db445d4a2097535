import type { ErrorCode } from '../../src/errors.ts'
import type { DecisionBatchRow, DecisionRoom } from './decision-rows.ts'
import type { StoreConflict } from './store.ts'
import type { StoredToken } from './stored-token.ts'

/** What the writer thread is started with. */
export interface WriterStart {
  readonly path: string
  /** 0: as large as the disk. */
  readonly maxBytes: number
}

/** A mutation as it crosses to the writer: texts and numbers, because they are cheap to copy between threads. */
export type EncodedMutation =
  | {
      readonly kind: 'entry.create' | 'entry.update'
      readonly id: string
      readonly spiffeId: string
      readonly parentId: string
      readonly selectors: readonly string[]
      readonly revisionNumber: number
      readonly body: string
    }
  | { readonly kind: 'entry.delete'; readonly id: string }
  | {
      readonly kind: 'agent.put'
      readonly spiffeId: string
      readonly revisionNumber: number
      readonly expiresAtMs: number
      readonly body: string
    }
  | { readonly kind: 'agent.delete'; readonly spiffeId: string }
  | { readonly kind: 'token.create'; readonly token: StoredToken }
  | { readonly kind: 'token.spend'; readonly hash: string; readonly atMs: number; readonly address: string }
  | { readonly kind: 'token.prune'; readonly expiredBeforeMs: number }
  | {
      readonly kind: 'bundle.put'
      readonly trustDomain: string
      readonly sequenceNumber: number
      readonly ifSequence: number | undefined
      readonly body: string
    }
  | { readonly kind: 'bundle.delete'; readonly trustDomain: string }
  | {
      readonly kind: 'authority.put'
      readonly serverId: string
      readonly authorityKind: string
      readonly authorityId: string
      readonly body: string
    }
  | {
      readonly kind: 'authority.delete'
      readonly serverId: string
      readonly authorityKind: string
      readonly authorityId: string
    }
  | {
      readonly kind: 'document.put'
      readonly documentKind: DocumentKind
      readonly key: string
      readonly number: number
      readonly body: string
    }
  | { readonly kind: 'document.delete'; readonly documentKind: DocumentKind; readonly key: string }
  | { readonly kind: 'decisions.add'; readonly batch: DecisionBatchRow; readonly room: DecisionRoom }

/** `policy` and `fastLane` are lists without gaps; the others are objects, each with changes that are counted. */
export type DocumentKind = 'policy' | 'policyState' | 'lifecycle' | 'fastLane'

export interface EncodedEvent {
  readonly type: string
  readonly atMs: number
  /** Canonical JSON. */
  readonly facts: string
  /** Copies of two facts that records are looked up by. */
  readonly spiffeId: string | null
  readonly serialNumber: string | null
}

export interface EncodedTransaction {
  readonly mutations: readonly EncodedMutation[]
  readonly audit: readonly EncodedEvent[]
}

export interface EncodedDecisionLimits {
  readonly beforeMs: number
  readonly room: DecisionRoom
}

/** What is asked of the writer: one thing at a time. */
export type WriterRequest =
  | {
      readonly kind: 'write'
      /** Larger than that of every group before, in this process or an earlier one. */
      readonly group: number
      readonly nowMs: number
      readonly transactions: readonly EncodedTransaction[]
    }
  | {
      readonly kind: 'prune'
      readonly logBeforeMs: number
      readonly auditBeforeMs: number
      readonly decisions: EncodedDecisionLimits | undefined
    }
  | { readonly kind: 'releaseMemory' }
  | { readonly kind: 'close' }

/** What one mutation did: the kind of object, its key and the JSON of what it was before. The new value is the mutation's. */
export interface EncodedChange {
  readonly mutation: number
  readonly kind: 'entry' | 'agent' | 'bundle' | 'token' | 'authority' | DocumentKind
  readonly key: string
  readonly before: string | null
}

export interface EncodedConflict {
  readonly index: number
  readonly reason: StoreConflict['reason']
  readonly existingEntry?: string | undefined
  readonly existingToken?: StoredToken | undefined
}

/** The revision after the transaction, why it was refused, or why it failed. */
export type EncodedOutcome = number | EncodedConflict | { readonly failed: string }

export interface EncodedPosition {
  readonly sequence: number
  readonly hash: Uint8Array
}

export type WriterReply =
  | { readonly kind: 'ready'; readonly lastGroup: number; readonly lastOutcomes: string }
  | {
      readonly kind: 'written'
      readonly outcomes: readonly EncodedOutcome[]
      /** By transaction; empty for those that were refused. */
      readonly changes: readonly (readonly EncodedChange[])[]
      readonly auditHead: EncodedPosition
    }
  | { readonly kind: 'pruned'; readonly more: boolean }
  | { readonly kind: 'released' }
  | {
      readonly kind: 'failed'
      readonly code: ErrorCode
      readonly message: string
      /** Whether the group is on the disk is not known: only a new writer can tell. */
      readonly unsure: boolean
    }
