import type { BreakGlassSession, Grant } from '../../src/policy/lifecycle.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'

// Rows of policy and lifecycle. They are JSON as they stand: bytes are texts, instants are milliseconds since 1970, and a field
// without a value is left out.

export interface SignatureText {
  /** SHA-256 of the public key, hex. */
  readonly keyId: string
  /** Base64. */
  readonly signature: string
}

export interface SignedText {
  readonly content: string
  readonly signatures: readonly SignatureText[]
}

/** One applied policy. Revisions have no gaps, whatever epoch they were applied in. */
export interface PolicyRevisionRow {
  readonly revision: number
  readonly epoch: number
  /** SHA-256 (hex) of the parsed policy as canonical JSON. */
  readonly digest: string
  readonly source: string
  readonly policy: PolicySet
  readonly appliedBy: string
  readonly appliedAtMs: number
  readonly note: string
  /** The revision whose text this is again; 0: none. */
  readonly rolledBackTo: number
  readonly secondSignatures: readonly SignatureText[]
}

/** A policy that waits for a signature made elsewhere; what it will become apart from revision and epoch. */
export type PendingPolicy = Omit<PolicyRevisionRow, 'revision' | 'epoch'> & { readonly base: number }

export interface PolicyKeyState {
  readonly keyId: string
  /** SPKI, DER, base64. */
  readonly publicKey: string
  /** In the KeyStore. */
  readonly keyName: string
  /** active: signs; old: still trusted; revoked: no longer. */
  readonly state: 'active' | 'old' | 'revoked'
  readonly createdAtMs: number
}

/** What there is once: the epoch, the keys and what is pending. */
export interface PolicyStateRow {
  readonly revisionNumber: number
  readonly epoch: number
  /** The store that the epoch is of: a restored copy gets another one (SE-45). */
  readonly storeEpoch: string
  readonly keysVersion: number
  readonly keys: readonly PolicyKeyState[]
  readonly signedKeys: SignedText
  /** The sets before it, oldest first: an agent that missed some can follow them one by one. */
  readonly earlierKeys?: readonly SignedText[]
  readonly pending?: PendingPolicy
}

export interface FastLaneRow extends SignedText {
  readonly sequence: number
  readonly atMs: number
}

interface LifecycleRow {
  readonly id: string
  /** Counts changes of this row, from 0. */
  readonly revisionNumber: number
  readonly reason: string
  readonly by: string
  readonly sinceMs: number
  readonly endedMs?: number
  readonly endedBy?: string
  /** Why it ended before its time, where somebody said so. */
  readonly endedReason?: string
}

export interface QuarantineRow extends LifecycleRow {
  readonly kind: 'quarantine'
  readonly target: { readonly kind: 'identity' | 'entry' | 'node' | 'zone'; readonly id: string }
  /** What it covers; of a zone none, it is whoever is in it. */
  readonly identities: readonly string[]
  readonly forensics: readonly string[]
  /** Not in force: somebody should look at it. */
  readonly proposed: boolean
}

export interface OffboardingRow extends LifecycleRow {
  readonly kind: 'offboarding'
  readonly spiffeId: string
  /** One entry of it; left out: the identity as such. */
  readonly entryId?: string
}

export interface GrantRow extends LifecycleRow {
  readonly kind: 'grant'
  readonly template: string
  readonly subject: string
  /** What it opens, copied from the template when it was asked for. */
  readonly opens: Pick<Grant, 'movement' | 'access'>
  readonly durationMs: number
  readonly ticket: string
  readonly approvers: readonly string[]
  readonly approvalsNeeded: number
  readonly approvalsFrom: string
  readonly notSelf: boolean
  /** From when on nobody can approve it any more. */
  readonly approveByMs?: number
  /** Once it is approved. */
  readonly fromMs?: number
  readonly untilMs?: number
}

export interface BreakGlassRow extends LifecycleRow {
  readonly kind: 'breakGlass'
  readonly declaration: string
  readonly subjects: readonly string[]
  readonly opens: Pick<BreakGlassSession, 'from' | 'to' | 'overrides'>
  readonly durationMs: number
  readonly startedBy: readonly string[]
  readonly approvalsNeeded: number
  readonly approvalsFrom: string
  readonly approveByMs?: number
  readonly fromMs?: number
  readonly untilMs?: number
}

export interface RevokedSerialRow extends LifecycleRow {
  readonly kind: 'serial'
  readonly spiffeId: string
  /** Hex, lower case, no leading zeros. */
  readonly serialNumber: string
  /** The certificate's end, where it is known: after it the row means nothing. */
  readonly expiresMs?: number
}

export type LifecycleObject = QuarantineRow | OffboardingRow | GrantRow | BreakGlassRow | RevokedSerialRow

/** Policy and lifecycle at one revision of the store. */
export interface PolicySnapshot {
  readonly revision: number
  readonly state: PolicyStateRow | undefined
  /** The newest. */
  readonly policy: PolicyRevisionRow | undefined
  readonly lifecycle: readonly LifecycleObject[]
  /** The kept part, oldest first. */
  readonly fastLane: readonly FastLaneRow[]
}
