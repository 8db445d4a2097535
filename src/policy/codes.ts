/** What a request passes, in this order, until one refuses it. */
export type Stage = 'identity' | 'lifecycle' | 'movement' | 'access'

/** One row of the table of policy codes; `docs/policy-codes.md` is printed from it. */
export interface CodeRow {
  readonly stage: Stage
  /** The other gate that reports it too. */
  readonly alsoIn?: Stage
  /** Of several codes that a stage could report, the one with the lowest number. */
  readonly precedence: number
  /** What has happened, as a sentence. */
  readonly means: string
  /** What the reader does about it, as a sentence. */
  readonly remedy: string
}

/** Every reason for a refusal, in order of precedence within its stage. Codes are stable: add, never rename. */
export const codes = {
  NO_PEER_IDENTITY: {
    stage: 'identity',
    precedence: 1,
    means: 'The peer presented no certificate.',
    remedy: 'Connect with mutual TLS and an X509-SVID.',
  },
  SVID_MALFORMED: {
    stage: 'identity',
    precedence: 2,
    means: 'The certificate does not hold exactly one well-formed SPIFFE ID with a path.',
    remedy: 'Get an X509-SVID from the Workload API instead of making a certificate by other means.',
  },
  UNKNOWN_TRUST_DOMAIN: {
    stage: 'identity',
    precedence: 3,
    means: 'The trust domain of the peer is neither the own one nor federated.',
    remedy: 'Add it to `federation` if it is to be a partner.',
  },
  TRUST_DOMAIN_MISMATCH: {
    stage: 'identity',
    precedence: 4,
    means: 'The certificate is signed by an authority of another trust domain than it names.',
    remedy: 'Treat it as an attack by whoever holds that authority, unless two bundles were exchanged by mistake.',
  },
  CHAIN_INVALID: {
    stage: 'identity',
    precedence: 5,
    means: 'No bundle verifies the certificate chain, or the certificate is not valid yet.',
    remedy: 'Check that both sides hold the current bundle and that their clocks agree.',
  },
  SVID_EXPIRED: {
    stage: 'identity',
    precedence: 6,
    means: 'The certificate of the peer has expired; open connections are checked too.',
    remedy: 'Check that the peer renews its SVID and opens connections with the new one.',
  },
  POLICY_STALE: {
    stage: 'identity',
    precedence: 7,
    means: 'The policy here has not been confirmed by the server for as long as `hardStale` allows.',
    remedy: 'Restore the connection of this agent to its server.',
  },
  QUARANTINED: {
    stage: 'lifecycle',
    precedence: 1,
    means: 'The source, the destination or the caller is in quarantine.',
    remedy: 'Finish the investigation, then `sallyport quarantine rm`.',
  },
  OFFBOARDED: {
    stage: 'lifecycle',
    precedence: 2,
    means: 'The source, the destination or the caller has been offboarded.',
    remedy: 'Register it anew if it is to be used again.',
  },
  SERIAL_REVOKED: {
    stage: 'lifecycle',
    precedence: 3,
    means: 'The certificate that the peer presented has been revoked.',
    remedy: 'Let the peer get a new SVID.',
  },
  UNKNOWN_ZONE: {
    stage: 'movement',
    precedence: 1,
    means: 'The source or the destination is in no zone.',
    remedy: 'Add a member to the zone that it belongs to.',
  },
  AMBIGUOUS_ZONE: {
    stage: 'movement',
    precedence: 2,
    means: 'The source or the destination is in more than one zone.',
    remedy: 'Correct the members so that one zone remains; `sallyport policy validate` names them.',
  },
  UNKNOWN_SERVICE: {
    stage: 'movement',
    alsoIn: 'access',
    precedence: 3,
    means: 'The policy has no service of this name.',
    remedy: 'Add it to `services`, or correct the name that the enforcement point was started with.',
  },
  PORT_MISMATCH: {
    stage: 'movement',
    precedence: 4,
    means: 'The service has no listener on this port.',
    remedy: 'Connect to a port of the service, or add the listener.',
  },
  PROTOCOL_MISMATCH: {
    stage: 'movement',
    precedence: 5,
    means: 'The listener is there for another protocol.',
    remedy: 'Speak the protocol of the listener.',
  },
  ALPN_MISMATCH: {
    stage: 'movement',
    precedence: 6,
    means: 'The connection did not agree on an application protocol (ALPN) of the listener.',
    remedy: 'Let the client offer one of the listener’s `alpn` names.',
  },
  GUARD: {
    stage: 'movement',
    alsoIn: 'access',
    precedence: 7,
    means: 'A guard forbids it, whatever conduits and rules say.',
    remedy: 'Go through a service that may, or ask the owner of the policy for an exception.',
  },
  OUTSIDE_WINDOW: {
    stage: 'movement',
    precedence: 8,
    means: 'A conduit would open, but not at this time of day.',
    remedy: 'Wait for its window, or change the window.',
  },
  CONDUIT_EXPIRED: {
    stage: 'movement',
    precedence: 9,
    means: 'A conduit would open, but it is not valid any more, or not yet.',
    remedy: 'Have its owner review it and set `valid` anew.',
  },
  GRANT_EXPIRED: {
    stage: 'movement',
    alsoIn: 'access',
    precedence: 10,
    means: 'A grant would open, but it has ended, or has not begun.',
    remedy: 'Request a new grant.',
  },
  BREAK_GLASS_EXPIRED: {
    stage: 'movement',
    precedence: 11,
    means: 'A break-glass session would open, but it has ended, or has not begun.',
    remedy: 'Start a new session, if the emergency goes on.',
  },
  NO_CONDUIT: {
    stage: 'movement',
    precedence: 12,
    means: 'No conduit leads from the zone of the source to the destination on this port.',
    remedy: 'Add a conduit, if there is a reason for the path.',
  },
  PATH_TOO_LONG: {
    stage: 'access',
    precedence: 1,
    means: 'The request target is longer than 8 KiB.',
    remedy: 'Send long parameters in the body.',
  },
  PATH_NO_LEADING_SLASH: {
    stage: 'access',
    precedence: 2,
    means: 'The request target does not begin with a slash.',
    remedy: 'Send the path alone, in origin form.',
  },
  PATH_FORBIDDEN_CHAR: {
    stage: 'access',
    precedence: 3,
    means: 'The path holds a control character, a space, a character beyond ASCII, or one of # \\ ;',
    remedy: 'Escape it, or leave it out.',
  },
  PATH_BAD_ESCAPE: {
    stage: 'access',
    precedence: 4,
    means: 'The path holds an escape that is not two hexadecimal digits, or bytes that are not UTF-8.',
    remedy: 'Escape the path once, as UTF-8.',
  },
  PATH_AMBIGUOUS_ESCAPE: {
    stage: 'access',
    precedence: 5,
    means: 'The path escapes a character that servers read in different ways: / \\ . ; # ? % or a control character.',
    remedy: 'Use names without these characters, or send them in the query or the body.',
  },
  PATH_EMPTY_SEGMENT: {
    stage: 'access',
    precedence: 6,
    means: 'The path holds two slashes in a row.',
    remedy: 'Send the path with single slashes.',
  },
  PATH_DOT_SEGMENT: {
    stage: 'access',
    precedence: 7,
    means: 'The path holds a segment . or ..',
    remedy: 'Send the path that is meant.',
  },
  METHOD_NOT_ALLOWED: {
    stage: 'access',
    precedence: 8,
    means: 'The method is not an upper-case token, or is CONNECT or TRACE.',
    remedy: 'Send the method exactly as the standard writes it.',
  },
  METHOD_OVERRIDE: {
    stage: 'access',
    precedence: 9,
    means: 'A header asks for another method, and the service does not say that it honours that.',
    remedy: 'Send the method itself, or set `honoursMethodOverride`.',
  },
  AUTHORITY_MISMATCH: {
    stage: 'access',
    precedence: 10,
    means: 'An authority or host of the request is not one of the service.',
    remedy: 'Open a connection to the service that is meant, or list the authority.',
  },
  NO_ACTION: {
    stage: 'access',
    precedence: 11,
    means: 'The request matches no action of the service.',
    remedy: 'Correct the request, or add a matcher to an action.',
  },
  DENY_RULE: {
    stage: 'access',
    precedence: 12,
    means: 'A deny rule matches; it wins over every allow.',
    remedy: 'Ask the owner of the rule.',
  },
  CONDITION_ERROR: {
    stage: 'access',
    precedence: 13,
    means: 'A rule would allow, but its condition reads something that is missing or of another type.',
    remedy: 'Set the label that it reads, or guard the condition with `has`.',
  },
  RULE_EXPIRED: {
    stage: 'access',
    precedence: 14,
    means: 'A rule would allow, but it is not valid any more, or not yet.',
    remedy: 'Have its owner review it and set `valid` anew.',
  },
  NO_RULE: {
    stage: 'access',
    precedence: 15,
    means: 'No rule allows this source this action.',
    remedy: 'Add a rule, if the source needs the action.',
  },
  JWT_INVALID: {
    stage: 'access',
    precedence: 16,
    means: 'The forwarded token could not be verified.',
    remedy: 'Forward the token exactly as it came.',
  },
  JWT_EXPIRED: {
    stage: 'access',
    precedence: 17,
    means: 'The forwarded token has expired.',
    remedy: 'Let the caller get a new token.',
  },
  JWT_AUDIENCE: {
    stage: 'access',
    precedence: 18,
    means: 'The forwarded token is not for this service, or is also for something that its caller may not reach.',
    remedy: 'Let the caller ask for a token with the audience of this service alone.',
  },
  CALLER_NO_RULE: {
    stage: 'access',
    precedence: 19,
    means: 'The forwarder may do it, the caller that the token names may not.',
    remedy: 'Add a rule for the caller, if it needs the action.',
  },
} as const satisfies Readonly<Record<string, CodeRow>>

export type Code = keyof typeof codes

/** The one of two codes of the same stage that is reported. */
export const firstOf = (a: Code | null, b: Code): Code =>
  a === null || codes[b].precedence < codes[a].precedence ? b : a
