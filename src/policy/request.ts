/**
 * What is to be decided: plain facts that the enforcement point has established. `decide` reads no clock, socket or file.
 *
 * @see zones.md §3.5
 */
export interface PolicyRequest {
  /** Milliseconds since 1970. */
  readonly now: number
  /** How long ago the policy was last known to be fresh. */
  readonly policyAgeMs: number
  readonly peer: PeerFacts
  /** The service that is asked for; its id in the policy. */
  readonly service: string
  readonly connection: ConnectionFacts
  /** Undefined: the connection was just accepted and no request is there yet (case 72). */
  readonly request?: HttpFacts | undefined
  /** A forwarded token, as far as it was verified. */
  readonly jwt?: JwtFacts | undefined
}

/** What the handshake proved, or the code of what it did not (ZO-01). */
export type PeerFacts =
  | {
      readonly spiffeId: string
      readonly serialNumber: string
      /** Milliseconds since 1970. */
      readonly notAfter: number
    }
  | {
      readonly refused:
        | 'NO_PEER_IDENTITY'
        | 'SVID_MALFORMED'
        | 'UNKNOWN_TRUST_DOMAIN'
        | 'TRUST_DOMAIN_MISMATCH'
        | 'CHAIN_INVALID'
        | 'SVID_EXPIRED'
      /** What the peer claims, where it can be read: for the record only. */
      readonly claimedId?: string | undefined
    }

export interface ConnectionFacts {
  /** Of the listener. */
  readonly port: number
  /** What is spoken on it: a raw connection to an HTTP listener is `tcp`. */
  readonly protocol: 'http' | 'grpc' | 'tcp'
  readonly alpn: string | null
  readonly ip: string | null
}

export interface HttpFacts {
  readonly method: string
  /** The raw target as it was on the wire: never repaired. */
  readonly target: string
  /** Every authority that was given (`:authority`, `Host`). */
  readonly authorities: readonly string[]
  readonly upgrade: string | null
  /** The method that an override header asks for; null: none. */
  readonly methodOverride: string | null
  readonly isGrpc: boolean
}

export type JwtFacts =
  | { readonly refused: 'JWT_INVALID' | 'JWT_EXPIRED' }
  | { readonly spiffeId: string; readonly audience: readonly string[]; readonly expiresAt: number }
