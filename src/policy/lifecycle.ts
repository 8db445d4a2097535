/**
 * The state beside the policy that changes fast and by itself: quarantine, offboarding, grants, break-glass, revoked serials. It
 * comes by the fast lane, in order of sequence, and expires by the local clock.
 *
 * @see zones.md §3.9–3.12
 */
export interface Lifecycle {
  /** The newest entry that is in here; 0: none yet. */
  readonly sequence: number
  readonly quarantines: readonly Quarantine[]
  readonly offboarded: readonly string[]
  readonly grants: readonly Grant[]
  readonly breakGlass: readonly BreakGlassSession[]
  readonly revokedSerials: readonly RevokedSerial[]
}

export const NO_LIFECYCLE: Lifecycle = {
  sequence: 0,
  quarantines: [],
  offboarded: [],
  grants: [],
  breakGlass: [],
  revokedSerials: [],
}

/** Of an identity (SPIFFE ID text), of a zone, or of a node: then of every id that was issued to it, which the server lists. */
export interface Quarantine {
  readonly id: string
  readonly target:
    | { readonly identity: string }
    | { readonly zone: string }
    | { readonly node: string; readonly identities: readonly string[] }
  /** Conduits that stay open, without grants, break-glass or observe (ZO-03). */
  readonly forensics: readonly string[]
  readonly reason: string
  readonly since: number
}

/** An instance of a grant template; what it opens is copied in, so that a later policy cannot widen it. */
export interface Grant {
  readonly id: string
  readonly template: string
  /** SPIFFE ID of who holds it. */
  readonly subject: string
  readonly movement: {
    readonly from: { readonly zone: string }
    readonly to: { readonly zone: string; readonly identities: readonly string[] | undefined }
    readonly allow: readonly { readonly protocol: 'http' | 'grpc' | 'tcp'; readonly ports: readonly number[] }[]
  }
  readonly access: { readonly to: string; readonly actions: readonly string[] }
  readonly from: number
  readonly until: number
  readonly requester: string
  readonly approvers: readonly string[]
}

export interface BreakGlassSession {
  readonly id: string
  readonly declaration: string
  /** SPIFFE IDs that it is for (ZO-60). */
  readonly subjects: readonly string[]
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly overrides: readonly ('default-deny' | 'rules')[]
  readonly since: number
  readonly until: number
  readonly startedBy: readonly string[]
}

export interface RevokedSerial {
  readonly spiffeId: string
  /** Hex, lower case, no leading zeros. */
  readonly serialNumber: string
}
