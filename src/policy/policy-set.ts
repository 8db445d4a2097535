/**
 * A policy as plain data: what `parsePolicy` returns, what slices carry as JSON and what `compile` reads. Names, patterns and
 * conditions stay texts here; they were checked when the file was read, and `compile` turns them into tables. Durations are
 * milliseconds, instants are milliseconds since 1970.
 *
 * @see zones.md §3.2, §3.15
 */
export interface PolicySet {
  readonly name: string
  readonly trustDomain: string
  readonly owner: string
  readonly settings: PolicySettings
  readonly federation: readonly Federation[]
  readonly zones: readonly Zone[]
  readonly services: readonly Service[]
  readonly conduits: readonly Conduit[]
  readonly guards: readonly Guard[]
  readonly rules: readonly Rule[]
  readonly grantTemplates: readonly GrantTemplate[]
  readonly breakGlass: readonly BreakGlass[]
  readonly tests: readonly PolicyTest[]
  readonly invariants: readonly Invariant[]
}

export interface PolicySettings {
  /** Ambiguous paths are refused, never repaired. */
  readonly pathProfile: 'strict'
  readonly connection: { readonly maxAgeMs: number; readonly drainMs: number }
  readonly bundle: {
    readonly maxStaleMs: number
    /** Undefined: 24 h, and 5 minutes for destinations of target ≥ 3 whatever is written here (ZO-02). */
    readonly hardStaleMs: number | undefined
    readonly onHardStale: 'deny' | 'keep'
  }
  /** The longest life of an X509-SVID by target of its zone (issuance gate, §3.5). Undefined: the server's own limits. */
  readonly x509TtlMs: Readonly<Partial<Record<Target, number>>>
}

/** IEC 62443 target level; 0 is outside, no claim. */
export type Target = 0 | 1 | 2 | 3 | 4
export type Sensitivity = 'public' | 'internal' | 'confidential' | 'restricted'
export type AdminFunction = 'none' | 'operate' | 'control-plane'
export type Protocol = 'http' | 'grpc' | 'tcp'

export interface Federation {
  readonly trustDomain: string
  /** Path patterns of that trust domain, such as `/billing/**`. */
  readonly accept: readonly string[]
  /** A zone of target 0 without members of its own (ZO-12). */
  readonly zone: string
}

export interface Zone {
  readonly id: string
  readonly target: Target
  readonly sensitivity: Sensitivity
  readonly admin: AdminFunction
  readonly mode: 'observe' | 'enforce'
  /** Ports that are enforced although the zone observes. */
  readonly enforceOnly: readonly number[]
  readonly owner: string
  readonly crownJewel: boolean
  readonly members: readonly Member[]
  /** JWT-SVID audiences that this zone of target 0 owns: a token for one of them needs a conduit to this zone. */
  readonly audiences: readonly string[]
  /** Of the zone itself; undefined: the settings' (ZO-02). */
  readonly hardStaleMs: number | undefined
}

/** Every key that is there must hold (ZO-10). */
export interface Member {
  /** A pattern of the own trust domain, such as `/ns/web/**`. */
  readonly spiffe?: string | undefined
  readonly entryLabel?: Readonly<Record<string, string>> | undefined
  /** Such as `unix:group:sre`: counts when every entry of the id requires it (SE-44). */
  readonly selector?: string | undefined
}

export interface Service {
  readonly id: string
  /** Path of its SPIFFE ID in the own trust domain. */
  readonly identity: string
  /** Exact texts; empty: any. */
  readonly authorities: readonly string[]
  readonly listeners: readonly Listener[]
  readonly acceptJwt: { readonly audience: string; readonly forwarders: readonly string[] } | undefined
  readonly honoursMethodOverride: boolean
  readonly actions: readonly Action[]
}

export interface Listener {
  readonly name: string
  readonly port: number
  readonly protocol: Protocol
  /** Empty: no ALPN is demanded. */
  readonly alpn: readonly string[]
}

export interface Action {
  readonly name: string
  readonly match: readonly Matcher[]
  /** False: who may do this cannot thereby act as the service (§4.1). */
  readonly pivot: boolean
}

export type Matcher =
  | {
      readonly kind: 'http'
      readonly methods: readonly string[]
      /** Template: `/v1/orders/{id}`, `/admin/**`. */
      readonly path: string
      readonly upgrade: string | undefined
    }
  | { readonly kind: 'grpc'; readonly rpc: string }
  | { readonly kind: 'connect' }

/** Half-open: from ≤ now < until. */
export interface Validity {
  readonly from: number | undefined
  readonly until: number | undefined
}

/** Daily, half-open, minutes since midnight in `tz` (an IANA name, `UTC` by default); `from` later than `to` crosses midnight. */
export interface Window {
  readonly fromMinute: number
  readonly toMinute: number
  readonly tz: string
}

export interface Endpoint {
  readonly zone: string
  /** Patterns; undefined: every identity of the zone. Foreign ones start with `spiffe://`. */
  readonly identities: readonly string[] | undefined
}

export interface Conduit {
  readonly id: string
  readonly from: Endpoint
  readonly to: Endpoint
  readonly allow: readonly { readonly protocol: Protocol; readonly ports: readonly number[] }[]
  readonly valid: Validity
  readonly window: Window | undefined
  readonly owner: string
  readonly justification: string
  /** The day of the next review, as an instant. */
  readonly review: number
  /** Draft: evaluated beside the live set, never decides. */
  readonly stage: 'live' | 'draft'
  readonly use: 'normal' | 'rare'
}

/** All keys that are there must hold (ZO-25). */
export interface Predicate {
  readonly maxTarget?: Target | undefined
  readonly minTarget?: Target | undefined
  readonly zone?: string | undefined
  readonly notZone?: string | undefined
  readonly sensitivity?: Sensitivity | undefined
  readonly admin?: AdminFunction | undefined
  readonly notAdmin?: AdminFunction | undefined
  readonly crownJewel?: boolean | undefined
  readonly identities?: readonly string[] | undefined
  readonly service?: string | undefined
  readonly actions?: readonly string[] | undefined
}

export interface Guard {
  readonly id: string
  readonly gate: 'movement' | 'access'
  readonly from: Predicate
  readonly to: Predicate
  /** Conduits (movement) or rules (access) that it leaves as candidates. */
  readonly except: readonly string[]
  readonly hard: boolean
  readonly when: string | undefined
}

export type Subject = { readonly pattern: string } | { readonly zone: string }

export interface Rule {
  readonly id: string
  readonly effect: 'allow' | 'deny'
  readonly from: readonly Subject[]
  /** A service. */
  readonly to: string
  readonly actions: readonly string[]
  readonly when: string | undefined
  readonly valid: Validity
  readonly owner: string
  readonly stage: 'live' | 'draft'
  readonly use: 'normal' | 'rare'
}

export interface GrantTemplate {
  readonly id: string
  /** Patterns of who may hold it. */
  readonly subject: readonly string[]
  readonly movement: { readonly from: Endpoint; readonly to: Endpoint; readonly allow: Conduit['allow'] }
  readonly access: { readonly to: string; readonly actions: readonly string[] }
  readonly maxDurationMs: number
  readonly approvals: { readonly count: number; readonly from: string; readonly notSelf: boolean }
  readonly requires: readonly ('reason' | 'ticket')[]
}

export interface BreakGlass {
  readonly id: string
  readonly activate: string
  readonly approvals: number
  readonly maxDurationMs: number
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly overrides: readonly ('default-deny' | 'rules')[]
  readonly never: readonly ('quarantine' | 'hard-guards' | 'identity')[]
}

export interface PolicyTest {
  readonly name: string
  readonly from: string
  /** Labels that the source is taken to have; undefined: those of its registration. */
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly to: string
  readonly http?: { readonly method: string; readonly path: string } | undefined
  readonly rpc?: string | undefined
  readonly port?: number | undefined
  readonly at?: number | undefined
  readonly expect: {
    readonly decision: 'allow' | 'deny'
    readonly gate?: 'identity' | 'lifecycle' | 'movement' | 'access' | undefined
    readonly code?: string | undefined
    readonly conduit?: string | undefined
    readonly rule?: string | undefined
  }
}

/** Who or what an invariant speaks about. */
export type Place = { readonly zone: string } | { readonly service: string } | { readonly identity: string }

export type Invariant =
  | {
      readonly id: string
      readonly kind: 'cannotReach'
      readonly from: Place
      readonly to: Place
      readonly hops: number
    }
  | {
      readonly id: string
      readonly kind: 'maxBlastRadius'
      readonly from: Place
      readonly hops: number
      readonly services?: number | undefined
      readonly zones?: number | undefined
      readonly crownJewels?: number | undefined
    }
  | {
      readonly id: string
      readonly kind: 'requireFields'
      readonly on: readonly ('conduits' | 'rules' | 'zones' | 'guards')[]
      readonly fields: readonly string[]
    }
  | { readonly id: string; readonly kind: 'noNewAccess' }
